"""Wakes: telling a device that is not connected to sync now, by the push service of its platform (S33).

A wake carries nothing: not what changed, not even that it was a row. Who is to be woken is read from the database after
the commit (`claims`), so a wake that was lost with a process is made up by the next one, and of several processes one
sends it (`waker`). A service is one small adapter (`services`): `webpush`, whose addresses come from devices and are
looked at by `guard`, `apns` and `fcm`. `subscriptions` is what a device says, `routes` where it says it. None is
configured unless the settings say so, and nothing runs then.
"""
