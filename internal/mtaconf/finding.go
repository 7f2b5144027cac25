package mtaconf

// Site is what the milter's own configuration says.
type Site struct {
	// Milters are the milter's addresses, "inet:host:port" or "unix:/path".
	Milters []string
	// Domains are the domains of this site, in A-labels; "*.name" for all
	// sub-domains. Empty: not known.
	Domains []string
	// Subaddress is whether tags stand behind the local part, after Delimiter.
	Subaddress bool
	Delimiter  string
}

// addLines begins what to do where setup has the answer.
const addLines = "add the lines of: backscatter-milter setup "

// Finding is something that matters in an MTA's settings.
type Finding struct {
	Warning bool   // something to mend; else it is as well to know
	Setting string // the parameter, with its value where that is short
	Means   string
	Do      string // "" where there is nothing to do
	// SignOff is whether reverse-paths should not be signed as long as it is so.
	SignOff bool
}

// String gives the finding as one line.
func (f Finding) String() string {
	text := f.Setting + ": " + f.Means
	if f.Do != "" {
		text += ": " + f.Do
	}
	return text
}
