import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeSet;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/**
 * Validates each file that a line of standard input names, by each profile that an argument names, in one process.
 * Writes for each file and profile: file, profile, "pass" or "fail", how much was checked, and for each rule that
 * failed: clause, number of its test, what it asks for, where. Tabs between, one line each; after a file an empty one.
 */
public class Verify {
    public static void main(String[] profiles) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        List<PDFAFlavour> flavours = new ArrayList<>();
        for (String profile : profiles) flavours.add(PDFAFlavour.fromString(profile));
        Scanner names = new Scanner(System.in, StandardCharsets.UTF_8);
        while (names.hasNextLine()) {
            verify(names.nextLine(), flavours);
            System.out.println();
            System.out.flush();
        }
    }

    private static void verify(String name, List<PDFAFlavour> flavours) throws Exception {
        try (FileInputStream bytes = new FileInputStream(name);
                PDFAParser parser = Foundries.defaultInstance().createParser(bytes, flavours.get(0));
                PDFAValidator validator = Foundries.defaultInstance().createValidator(flavours, 1, false, true, false)) {
            parser.setFlavours(flavours);
            for (ValidationResult result : validator.validateAll(parser)) {
                Set<String> failed = new TreeSet<>();
                for (TestAssertion assertion : result.getTestAssertions()) {
                    if (assertion.getStatus() != TestAssertion.Status.FAILED) continue;
                    failed.add(assertion.getRuleId().getClause() + "\t" + assertion.getRuleId().getTestNumber() + "\t"
                            + flat(assertion.getMessage()) + "\t" + flat(assertion.getLocation().getContext()));
                }
                System.out.println(name + "\t" + result.getPDFAFlavour().getId() + "\t"
                        + (result.isCompliant() ? "pass" : "fail") + "\t" + result.getTotalAssertions());
                for (String rule : failed) System.out.println("\t" + rule);
            }
        }
    }

    private static String flat(String text) {
        return text == null ? "" : text.replaceAll("\\s+", " ");
    }
}
