package arch

// A rule says what one package of this module may import.
type rule struct {
	pkg   string   // import path below the module's own
	may   []string // packages of this module that it imports; no others
	tests []string // and those that only its tests import
	never []string // packages of the standard library that it stays clear of
}

// rules reads from the leaves to the trunk:
//
//	cmd -> internal/daemon -> milter -> internal/policy -> what it judges by -> internal/store
//
// A package without a row fails the test: writing the row is the moment to
// think about where it stands. A row may precede its package. All tests may use
// internal/mtatest; apart from them only the command (for its demo), the daemon
// (for its watchdog) and e2e do.
var rules = []rule{
	// Libraries: import nothing of this module, so that others can use them.
	{pkg: "batv", never: network},
	{pkg: "classify", never: append([]string{"os"}, network...)},

	// Leaves.
	{pkg: "config", never: []string{"net/http"}},
	{pkg: "internal/store", never: network},
	{pkg: "internal/journal", may: []string{"internal/store"}, never: append([]string{"os"}, network...)},
	{pkg: "internal/dnsquery", never: []string{"net/http"}},
	{pkg: "internal/dkim", may: []string{"internal/dnsquery"}, never: []string{"log", "net/http", "os/exec"}},
	{pkg: "internal/dnsbl", never: []string{"net/http"}},
	{pkg: "internal/probe", tests: []string{"batv"}},
	{pkg: "internal/spf", may: []string{"internal/dnsquery"}},
	{pkg: "internal/mtatest", tests: []string{"milter", "config", "internal/policy"}},
	{pkg: "internal/arch"},
	{pkg: "internal/problem", never: append([]string{"os"}, network...)},
	{pkg: "examples", never: append([]string{"os"}, network...)},
	{pkg: "internal/manual", may: []string{"config"}, tests: []string{"examples"}, never: append([]string{"os"}, network...)},

	// What the policy judges by.
	{pkg: "internal/grace", tests: []string{"internal/store", "batv"}, never: append([]string{"os"}, network...)},
	{pkg: "internal/flood"},
	{pkg: "internal/ledger", may: []string{"internal/store"}, never: append([]string{"os"}, network...)},
	{pkg: "internal/origin", may: []string{"classify", "config", "internal/dkim"}, tests: []string{"internal/ledger"}},

	// Has several hosts act as one.
	{pkg: "internal/shared", may: []string{"internal/flood", "internal/grace", "internal/ledger"}, tests: []string{"internal/store"}, never: []string{"net/http", "os"}},

	// The policy knows nothing of milters.
	{
		pkg: "internal/policy",
		may: []string{
			"batv", "classify", "config",
			"internal/dnsbl", "internal/flood", "internal/ledger", "internal/origin",
		},
		never: []string{"net/http", "os"},
	},

	// The MTA's side knows nothing of what the policy judges by.
	{
		pkg:   "milter",
		may:   []string{"batv", "classify", "config", "internal/policy"},
		tests: []string{"internal/origin"},
		never: []string{"net/http"},
	},

	// Faces of the daemon, which wires them up: what they watch does not
	// know them.
	{pkg: "internal/maillog", may: []string{"config", "internal/flood", "internal/policy", "milter"}},
	{pkg: "internal/metrics", may: []string{"internal/policy", "milter"}},
	{pkg: "internal/admin", may: []string{"config", "internal/control", "internal/journal"}, tests: []string{"internal/policy"}},
	{pkg: "internal/control", never: []string{"net/http"}},
	{pkg: "internal/decided", may: []string{"internal/control", "internal/journal", "internal/maillog", "internal/policy", "internal/store"}, tests: []string{"config"}, never: []string{"net/http", "os"}},
	{pkg: "internal/mtaconf", never: []string{"net/http"}},

	// What is known of the site that is served: answers the policy and those who
	// ask for origins.
	{
		pkg: "internal/knowledge",
		may: []string{
			"batv", "config",
			"internal/control", "internal/dkim", "internal/dnsbl", "internal/flood", "internal/grace", "internal/ledger", "internal/maillog",
			"internal/origin", "internal/policy", "internal/probe", "internal/problem", "internal/shared", "internal/spf", "internal/store",
		},
		tests: []string{"classify"},
		never: []string{"net/http"},
	},

	// The running milter: wires all that up.
	{
		pkg: "internal/daemon",
		may: []string{
			"batv", "config", "milter",
			"internal/admin", "internal/control", "internal/decided", "internal/dnsbl", "internal/flood", "internal/journal",
			"internal/knowledge", "internal/maillog", "internal/metrics", "internal/mtaconf", "internal/mtatest",
			"internal/origin", "internal/policy", "internal/problem",
		},
		tests: []string{"classify"},
	},

	// The commands.
	{
		pkg: "cmd/backscatter-milter",
		may: []string{
			"batv", "classify", "config", "examples", "milter",
			"internal/control", "internal/daemon", "internal/decided", "internal/dkim", "internal/dnsbl", "internal/grace",
			"internal/journal", "internal/knowledge", "internal/maillog", "internal/manual", "internal/mtaconf", "internal/mtatest",
			"internal/policy", "internal/problem", "internal/shared", "internal/store",
		},
	},
}

// network is what a library that only computes has no use for.
var network = []string{"log", "net", "net/http", "os/exec"}

// A library is a module of others and the packages that may import it.
type library struct {
	module string
	users  []string
}

// libraries is every module that production code imports directly: one more
// costs a row here and a reason in docs/decisions. Tests are held to these rows
// too; modules without a row (go-cmp, rapid, testscript) are theirs alone.
var libraries = []library{
	{"github.com/BurntSushi/toml", []string{"batv", "config"}},
	{"github.com/coreos/go-systemd/v22", []string{"milter", "internal/daemon"}},
	{"github.com/d--j/go-milter", []string{"milter"}},
	{"github.com/dchest/siphash", []string{"internal/flood", "internal/ledger"}},
	{"github.com/emersion/go-mbox", []string{"cmd/backscatter-milter"}},
	{"github.com/emersion/go-message", []string{"classify"}},
	{"github.com/miekg/dns", []string{"internal/dkim", "internal/dnsbl", "internal/dnsquery", "internal/mtatest", "internal/spf"}},
	{"github.com/prometheus/client_golang", []string{"internal/metrics"}},
	{"github.com/redis/go-redis/v9", []string{"internal/shared"}},
	{"github.com/schollz/progressbar/v3", []string{"cmd/backscatter-milter"}},
	{"github.com/spf13/cobra", []string{"cmd/backscatter-milter", "internal/manual"}},
	{"github.com/spf13/pflag", []string{"cmd/backscatter-milter", "internal/manual"}},
	{"go.etcd.io/bbolt", []string{"internal/store"}},
	{"golang.org/x/net", []string{"batv", "config", "internal/grace", "internal/ledger"}},
	{"golang.org/x/text", []string{"classify"}},
}

// Sizes of source files and functions, in lines. A test may be as long as its
// file: a long table is still easy to read.
const (
	maxFileLines   = 400
	maxFuncLines   = 80
	shortFuncLines = 40 // what a function stays under,
	shortFuncShare = 90 // in so many of a hundred cases
)

// clockUsers are the folders whose code may ask what time it is. Everything
// else has its clock passed in, so that tests can live through ten days.
var clockUsers = []string{"cmd", "e2e", "internal/mtatest"}
