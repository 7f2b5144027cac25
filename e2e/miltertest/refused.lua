-- An address that never writes is refused at RCPT; the transaction goes on, and a
-- tagged recipient is taken in the same one. Which code a refusal has, miltertest
-- can tell at end of message only.
dofile(common)

local conn = connect("203.0.113.5")
check("MAIL", mt.mailfrom(conn, "<>"))
check("RCPT", mt.rcptto(conn, "<robot@example.com>"))
want(conn, "RCPT of an address that never writes", SMFIR_REPLYCODE)
check("RCPT", mt.rcptto(conn, "<" .. tagged .. ">"))
want(conn, "RCPT with a tag", SMFIR_CONTINUE)
check("abort", mt.abort(conn))

-- A wrong signature is refused, too: the tag above has proved the key.
check("MAIL", mt.mailfrom(conn, "<>"))
check("RCPT", mt.rcptto(conn, "<" .. forged .. ">"))
want(conn, "RCPT with a wrong signature", SMFIR_REPLYCODE)
check("abort", mt.abort(conn))

-- A bounce without a tag is refused at its end.
check("MAIL", mt.mailfrom(conn, "<>"))
check("RCPT", mt.rcptto(conn, "<alice@example.com>"))
want(conn, "RCPT without a tag", SMFIR_CONTINUE)
check("header", mt.header(conn, "From", "MAILER-DAEMON@mx.example.net"))
check("header", mt.header(conn, "Subject", "Undelivered Mail Returned to Sender"))
check("EOH", mt.eoh(conn))
want(conn, "EOH", SMFIR_CONTINUE)
check("body", mt.bodystring(conn, "Your message could not be delivered.\r\n"))
want(conn, "body", SMFIR_CONTINUE)
check("EOM", mt.eom(conn))
want(conn, "EOM", SMFIR_REPLYCODE)
holds("another reply", mt.eom_check(conn, MT_SMTPREPLY, "550", "5.7.1", "This bounce is for a message we did not send."))
mt.disconnect(conn)
