-- Mail from our own network is taken, and nothing but its sender is changed.
-- That the sender is, miltertest cannot see: it has no check for CHGFROM. It
-- takes the answer to end of message only where all before it was well formed.
dofile(common)

local conn = connect("198.51.100.7")
check("MAIL", mt.mailfrom(conn, "<alice@example.com>"))
check("RCPT", mt.rcptto(conn, "<stranger@example.net>"))
want(conn, "RCPT", SMFIR_CONTINUE)
check("header", mt.header(conn, "From", "<alice@example.com>"))
check("EOH", mt.eoh(conn))
check("EOM", mt.eom(conn))
want(conn, "EOM", SMFIR_ACCEPT)
local others = {
	HDRADD = MT_HDRADD, HDRINSERT = MT_HDRINSERT, HDRCHANGE = MT_HDRCHANGE, HDRDELETE = MT_HDRDELETE,
	BODYCHANGE = MT_BODYCHANGE, QUARANTINE = MT_QUARANTINE,
}
for name, op in pairs(others) do
	holds(name .. " was done", not mt.eom_check(conn, op))
end
holds("the recipient is gone", not mt.eom_check(conn, MT_RCPTDELETE, "<stranger@example.net>"))
mt.disconnect(conn)
