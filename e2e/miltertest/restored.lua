-- A bounce to a tagged recipient: the tagged one is replaced by the plain one,
-- and the verdict is written on top of the header.
dofile(common)

-- play brings a bounce, with parameters of RCPT if there are any.
local function play(...)
	local conn = connect("203.0.113.5")
	check("MAIL", mt.mailfrom(conn, "<>"))
	check("RCPT", mt.rcptto(conn, "<" .. tagged .. ">", ...))
	want(conn, "RCPT", SMFIR_CONTINUE)
	check("header", mt.header(conn, "From", "MAILER-DAEMON@mx.example.net"))
	check("header", mt.header(conn, "Subject", "Undelivered Mail Returned to Sender"))
	check("header", mt.header(conn, "X-Backscatter", "accept; forged=by the sender"))
	check("EOH", mt.eoh(conn))
	want(conn, "EOH", SMFIR_CONTINUE)
	check("body", mt.bodystring(conn, "Your message could not be delivered.\r\n"))
	want(conn, "body, which a proven bounce is not judged by", SMFIR_SKIP)
	check("EOM", mt.eom(conn))
	want(conn, "EOM", SMFIR_ACCEPT)
	holds("the tagged recipient stays", mt.eom_check(conn, MT_RCPTDELETE, "<" .. tagged .. ">"))
	holds("the forged header stays", mt.eom_check(conn, MT_HDRDELETE, "X-Backscatter"))
	holds("no verdict on top of the header", mt.eom_check(conn, MT_HDRINSERT, "X-Backscatter"))
	holds("the body is changed", not mt.eom_check(conn, MT_BODYCHANGE))
	local verdict = mt.getheader(conn, "X-Backscatter", 0)
	holds("the verdict is " .. tostring(verdict), string.match(verdict or "", "^accept; reason=tag%-valid; class=%a+; origin=tag; id=%w+"))
	return conn
end

local conn = play()
holds("the plain recipient is not added", mt.eom_check(conn, MT_RCPTADD, "<alice@example.com>"))
holds("another is added", not mt.eom_check(conn, MT_RCPTADD, "<bob@example.com>"))
mt.disconnect(conn)

-- Parameters make it another action (ADDRCPT_PAR), which miltertest reads but
-- has no check for.
mt.disconnect(play("NOTIFY=NEVER"))
