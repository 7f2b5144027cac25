# Files notifications about mail that nothing shows to be ours into Junk.
#
# Sieve (RFC 5228) as Dovecot's Pigeonhole runs it. For all users: put this file
# where the setting sieve_before names it, and compile it with sievec(1). A user's
# own script then runs for what is not filed here.
#
# The field can be believed: backscatter-milter removes the fields of that name
# that mail from outside brings (the first 2,000), and puts its own on top. What your
# own clients (trusted_networks, authenticated users) send is not looked at, nor is
# mail that the MTA lets pass while the milter is away; both keep what they brought.
require ["fileinto", "index", "mailbox", "variables"];

# Only "mark" is asked about. Mail whose action is "accept" is proven ours, or is
# to be delivered by what the configuration says; what was held and then released
# ("quarantine") somebody has looked at.
if header :index 1 :matches "X-Backscatter" "mark; reason=*; *" {
    # Left where they are: "auto-reply" and "unproven". They are often about
    # mail that was ours, and some are all that a user hears of it. To file them
    # too, add them to the list.
    if string :is "${1}" [
        "challenge",
        "flood",
        "listed",
        "never-sends",
        "origin-foreign",
        "tag-forged",
        "tag-missing",
        "virus-notice"
    ] {
        fileinto :create "Junk";
        stop;
    }
}
