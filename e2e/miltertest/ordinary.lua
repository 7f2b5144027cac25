-- Ordinary mail to a plain address is let go at the end of its header: the milter
-- asks for no body.
dofile(common)

local conn = connect("203.0.113.5")
check("MAIL", mt.mailfrom(conn, "<stranger@example.net>", "SIZE=1000"))
check("RCPT", mt.rcptto(conn, "<alice@example.com>"))
want(conn, "RCPT", SMFIR_CONTINUE)
check("header", mt.header(conn, "From", "<stranger@example.net>"))
check("header", mt.header(conn, "Subject", "ordinary mail"))
check("EOH", mt.eoh(conn))
want(conn, "EOH", SMFIR_ACCEPT)

-- The next message on the same connection is judged by itself.
check("MAIL", mt.mailfrom(conn, "<>"))
check("RCPT", mt.rcptto(conn, "<robot@example.com>"))
want(conn, "RCPT of a bounce", SMFIR_REPLYCODE)
mt.disconnect(conn)
