-- What the scripts share. miltertest defines "socket", the daemon's address.

-- fail ends the script, and says why: miltertest itself would not.
local function fail(why)
	mt.echo(why)
	error(why, 3)
end

-- connect opens a connection, and tells the milter of the client if one is
-- given. HELO it has not asked for.
function connect(ip)
	local conn = mt.connect(socket)
	if conn == nil then
		fail("cannot connect to " .. socket)
	end
	if ip ~= nil then
		check("CONNECT", mt.conninfo(conn, "mx.example.net", ip))
	end
	return conn
end

-- check ends the script at an error of miltertest's own.
function check(what, problem)
	if problem ~= nil then
		fail(what .. ": " .. problem)
	end
end

-- names of the answers (SMFIR_*), for what is printed.
local names = {
	[SMFIR_CONTINUE] = "continue", [SMFIR_ACCEPT] = "accept", [SMFIR_REJECT] = "reject",
	[SMFIR_TEMPFAIL] = "tempfail", [SMFIR_DISCARD] = "discard", [SMFIR_REPLYCODE] = "reply", [SMFIR_SKIP] = "skip",
}

-- want holds the last answer to what it should be.
function want(conn, what, answer)
	local got = mt.getreply(conn)
	if got ~= answer then
		fail(what .. ": answered " .. (names[got] or tostring(got)) .. ", want " .. names[answer])
	end
end

-- holds ends the script unless something is as it should be.
function holds(what, condition)
	if not condition then
		fail(what)
	end
end
