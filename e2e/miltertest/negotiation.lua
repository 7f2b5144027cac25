-- What the milter asks of an MTA that offers everything, and of an old one.
-- CHGFROM, by which mail is signed, can only be seen to be asked for: miltertest
-- has no check for whether it was done.
dofile(common)

local function taken(names, has, test, conn)
	for name, bit in pairs(names) do
		holds(name .. (has and " is not asked for" or " is asked for"), test(conn, bit) == has)
	end
end

local conn = connect()
check("negotiate", mt.negotiate(conn, 6, nil, nil))
taken({
	ADDHDRS = SMFIF_ADDHDRS, CHGHDRS = SMFIF_CHGHDRS, ADDRCPT = SMFIF_ADDRCPT, ADDRCPT_PAR = SMFIF_ADDRCPT_PAR,
	DELRCPT = SMFIF_DELRCPT, CHGFROM = SMFIF_CHGFROM, QUARANTINE = SMFIF_QUARANTINE, SETSYMLIST = SMFIF_SETSYMLIST,
}, true, mt.test_action, conn)
taken({ CHGBODY = SMFIF_CHGBODY }, false, mt.test_action, conn)
taken({
	NOHELO = SMFIP_NOHELO, NOUNKNOWN = SMFIP_NOUNKNOWN, NODATA = SMFIP_NODATA,
	NR_CONN = SMFIP_NR_CONN, NR_MAIL = SMFIP_NR_MAIL, NR_HDR = SMFIP_NR_HDR,
	SKIP = SMFIP_SKIP, RCPT_REJ = SMFIP_RCPT_REJ,
}, true, mt.test_option, conn)
taken({
	NOCONNECT = SMFIP_NOCONNECT, NOMAIL = SMFIP_NOMAIL, NORCPT = SMFIP_NORCPT,
	NOHDRS = SMFIP_NOHDRS, NOEOH = SMFIP_NOEOH, NOBODY = SMFIP_NOBODY,
	NR_RCPT = SMFIP_NR_RCPT, NR_EOH = SMFIP_NR_EOH, HDR_LEADSPC = SMFIP_HDR_LEADSPC,
}, false, mt.test_option, conn)
mt.disconnect(conn)

-- Protocol version 2 knows neither CHGFROM nor events without an answer.
conn = connect()
check("negotiate", mt.negotiate(conn, 2, 0x3F, 0x7F))
taken({ CHGFROM = SMFIF_CHGFROM, ADDRCPT_PAR = SMFIF_ADDRCPT_PAR, SETSYMLIST = SMFIF_SETSYMLIST }, false, mt.test_action, conn)
taken({ NR_CONN = SMFIP_NR_CONN, NR_MAIL = SMFIP_NR_MAIL, NR_HDR = SMFIP_NR_HDR, SKIP = SMFIP_SKIP, RCPT_REJ = SMFIP_RCPT_REJ }, false, mt.test_option, conn)
taken({ NOHELO = SMFIP_NOHELO }, true, mt.test_option, conn)
check("CONNECT", mt.conninfo(conn, "mx.example.net", "203.0.113.5"))
want(conn, "CONNECT", SMFIR_CONTINUE)
check("MAIL", mt.mailfrom(conn, "<>"))
want(conn, "MAIL", SMFIR_CONTINUE)
mt.disconnect(conn)
