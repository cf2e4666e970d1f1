"""What the devices of each role carry (S10): every row that a profile keeps is found in a layer that its role holds."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.access import ROLES
from sfa.core.layers import places, with_past
from sfa.core.profiles import DAY_MS, DAYS_OF, PROFILE_DAYS_MIN, profiles_of

NOW = 1_767_600_000_000
days = st.one_of(st.none(), st.sampled_from((30, 31, 60, 90, 548)), st.integers(PROFILE_DAYS_MIN, 36_500))
rows = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(ROLES), **dict.fromkeys(DAYS_OF.values(), days)}), max_size=7
)
lengths = st.integers(90, 36_500)
ages = st.one_of(st.integers(0, 40_000 * DAY_MS), st.sampled_from((30, 60, 90, 548)).map(lambda d: d * DAY_MS))


@given(rows, lengths, st.sampled_from(sorted(DAYS_OF)), ages)
def test_a_role_holds_a_place_of_a_row_exactly_while_its_profile_carries_it(
    said: list[dict[str, object]], history_days: int, entity: str, age: int
) -> None:
    """So that scope alone decides, whatever a company says."""
    profiles = profiles_of(said, history_days)
    found = set(places(("territory:t", "user:u"), profiles.layers(entity, NOW - age, NOW)))
    past = profiles.past()
    for role in ROLES:
        mine = next((row for row in said if row["role"] == role), {})
        carried = mine.get(DAYS_OF[entity]) or history_days
        assert isinstance(carried, int)
        held = with_past({"all", "territory:t", "user:u"}, past.get(role))
        assert bool(found & held) == (age < carried * DAY_MS)


@given(rows, lengths, st.sampled_from(sorted(DAYS_OF)), ages)
def test_a_row_lies_in_one_layer_for_each_kind_of_profile_and_in_none_while_it_is_young(
    said: list[dict[str, object]], history_days: int, entity: str, age: int
) -> None:
    profiles = profiles_of(said, history_days)
    layers = profiles.layers(entity, NOW - age, NOW)
    if age < PROFILE_DAYS_MIN * DAY_MS:
        assert layers is None
    assert len(layers or ()) <= len({tuple(profiles.days[role].values()) for role in ROLES})
    assert set(layers or ()) <= set(profiles.past().values())
    assert profiles.lengths(entity) == sorted(set(profiles.lengths(entity)))


def test_while_all_roles_carry_the_same_there_are_no_layers() -> None:
    for said in ([], [{"role": role, "visit_days": 60, "note_days": None, "deal_days": 90} for role in ROLES]):
        profiles = profiles_of(said, 548)
        assert profiles.past() == {}
        assert profiles.layers("visits", NOW - 61 * DAY_MS, NOW) in ((), None)
        assert profiles.layers("visits", NOW - 548 * DAY_MS, NOW) == ()


def test_the_first_profile_of_a_role_counts_and_what_it_leaves_out_is_the_organisations() -> None:
    first = {"role": "manager", "visit_days": 60, "note_days": None, "deal_days": None}
    profiles = profiles_of([first, {**first, "visit_days": 90}], 548)
    assert profiles.days["manager"] == {"visits": 60, "notes": 548, "deals": 548, "attachments": 548}
    assert profiles.past() == dict.fromkeys(("rep", "director", "finance", "admin"), "548.548.548")
    assert profiles.past({"60.548.548"})["manager"] == "60.548.548"  # until the job has emptied it


def test_only_buckets_in_which_rows_age_have_layers() -> None:
    held = with_past({"all", "cost:all", "team:x", "manage:x", "unassigned", "book:b", "territory:t"}, "rep")
    assert {bucket for bucket in held if "~" in bucket} == {"unassigned~rep", "book:b~rep", "territory:t~rep"}
    assert with_past({"book:b"}, None) == {"book:b"}
