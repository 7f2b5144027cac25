package manual

// A remark is a section of the commands' page that --help has no place for.
type remark struct {
	title string
	text  string
	items []entry
}

// An entry is an item of a list.
type entry struct{ name, text string }

func remarks() []remark {
	return []remark{
		{
			title: "SIGNALS",
			text:  "The daemon that serve runs takes these:",
			items: []entry{
				{"SIGTERM, SIGINT", "End: no new connection is taken, messages that are under way are finished, and connections of the MTA without a message are closed after three seconds."},
				{"SIGHUP", "Load configuration and keys anew. With a mistake in them all stays as it is."},
			},
		},
		{
			title: "EXIT STATUS",
			text:  "What is wrong is told on standard error.",
			items: []entry{
				{"0", "All is well."},
				{"1", "Something was found wrong, or could not be done."},
				{"2", "The command line is wrong."},
			},
		},
		{
			title: "FILES",
			text:  "The state folder is another where --state, $STATE_DIRECTORY or, for other users than root, $XDG_STATE_HOME say so.",
			items: []entry{
				{"/etc/backscatter-milter/config.toml", "The configuration. All works without it, too."},
				{"/var/lib/backscatter-milter/keys.toml", "The keys, made at the first start. Keep them: bounces of mail that was signed with a lost key cannot be told from forgeries."},
				{"/var/lib/backscatter-milter/state.db", "What the daemon has learned: domains, when it signed, and keyed hashes of what was sent. Also the last decisions of 14 days, with the client, sender and recipients of each, addresses as [log] privacy says, and counts of every hour; and the key of the hashes by which that setting can show addresses. For the daemon's user alone."},
				{"/var/lib/backscatter-milter/control.sock", "Where the commands that speak to the daemon find it: only root and its own user may."},
			},
		},
		{
			title: "ENVIRONMENT",
			text:  "Nothing need be set. Those of systemd are also taken from whatever else sets them.",
			items: []entry{
				{"BACKSCATTER_MILTER_CONFIG", "The configuration file, where --config names none."},
				{"STATE_DIRECTORY", "The state folder, where --state names none."},
				{"LISTEN_FDS, LISTEN_PID", "Sockets that are handed over; where there are any, the setting listen is not used."},
				{"NOTIFY_SOCKET, WATCHDOG_USEC", "Whom to tell that the daemon is ready, loads its settings anew or ends, and that it is well."},
				{"JOURNAL_STREAM", "Where it is set, log lines bear no time, since the journal has its own."},
			},
		},
	}
}
