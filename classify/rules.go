package classify

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// Rule is one row of the tables: what some program or language writes, and what
// a message is that has it.
type Rule struct {
	// Speaks is what the row speaks for: a class, or "delay" (a bounce that
	// says the mail is still on its way), "daemon" (a mail system wrote
	// this), "machine" (no person did), "program" (a program may have, as
	// they do newsletters), "person" (it is no answer to a message, though
	// it says so), "goods" (what came back or was received is no mail),
	// "separator" (the original follows).
	Speaks string
	// Weight is how much: 1 hint, 2 sign, 4 proof; 0 word, see below.
	Weight int
	// Where is the name of a header field; or "text": the notice itself,
	// without the original; or "field": the names of fields that begin with
	// X-; or "sentence": any sentence of subject and notice. A field
	// return-path is the envelope's sender where there is one.
	Where string
	// Pattern is text that has to be there. Case, accents and the breaking
	// of lines do not count; "^" at its start and "$" at its end stand for
	// those of a line (in header fields: of the value), "*" for any text in
	// between. "*" alone: the field is there.
	//
	// In sentences it is what the sentence has to mean: ideas, all of which
	// must be in it, or must not after a "!". Rows of the weight "word" say
	// what words an idea has: Speaks names it, Pattern is a beginning of
	// words, and all of a word where it ends with "_". The idea "number" is
	// any digit, "reach" an address or a telephone number.
	Pattern string
	// Software is whose words these are: a program, a service, a language;
	// or what a sentence says, as "received".
	Software string
}

// What rules speak for besides classes.
const (
	speaksDelay     = "delay"
	speaksMachine   = "machine"
	speaksDaemon    = "daemon"
	speaksProgram   = "program"
	speaksPerson    = "person"
	speaksGoods     = "goods"
	speaksSeparator = "separator"
)

var speakers = []string{
	string(Bounce), string(AutoReply), string(Challenge), string(Receipt), string(Report), string(Calendar),
	string(VirusNotice), string(List), speaksDelay, speaksMachine, speaksDaemon, speaksProgram, speaksPerson, speaksGoods, speaksSeparator,
}

// proof is the weight from which on a row is enough where others are doubtful.
const proof = 4

// weighsNothing is the weight of rows that only say what a word means.
const weighsNothing = 0

var weights = map[string]int{"word": weighsNothing, "hint": 1, "sign": 2, "proof": proof}

// Rules are tables made ready to be compared with messages. They are safe for
// concurrent use.
type Rules struct {
	rules     []Rule
	matchers  map[string]*matcher // by Where
	sentences *sentences
}

//go:embed rules/*.tsv
var tables embed.FS

// DefaultRules returns the tables that come with the package.
var DefaultRules = sync.OnceValue(func() *Rules {
	r, err := readTables(tables)
	if err != nil {
		panic(err) // a test reads them
	}
	return r
})

func readTables(folder fs.FS) (*Rules, error) {
	names, err := fs.Glob(folder, "rules/*.tsv")
	if err != nil {
		return nil, err
	}
	var all []Rule
	for _, name := range names {
		f, err := folder.Open(name)
		if err != nil {
			return nil, err
		}
		rules, err := ParseRules(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, rules...)
	}
	return NewRules(all)
}

// ParseRules reads a table: a row a line, its five columns (speaks, weight,
// where, pattern, software) separated by tabs, any number of them. Several
// patterns may share a line, with " | " between them: each is a row. Empty lines
// and lines that begin with # are comments.
func ParseRules(r io.Reader) ([]Rule, error) {
	var rules []Rule
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := slices.DeleteFunc(strings.Split(line, "\t"), func(s string) bool { return s == "" })
		if len(columns) != 5 {
			return nil, fmt.Errorf("line %d: %d columns, want 5: speaks, weight, where, pattern, software", n, len(columns))
		}
		weight, ok := weights[columns[1]]
		if !ok {
			return nil, fmt.Errorf("line %d: weight %q, want hint, sign, proof or word", n, columns[1])
		}
		for pattern := range strings.SplitSeq(columns[3], " | ") {
			rule := Rule{columns[0], weight, columns[2], pattern, columns[4]}
			if _, err := compile(0, rule); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			rules = append(rules, rule)
		}
	}
	return rules, lines.Err()
}

// NewRules makes rules ready. To extend the tables that come with the package:
// NewRules(append(DefaultRules().List(), more...)).
func NewRules(list []Rule) (*Rules, error) {
	r := &Rules{rules: slices.Clone(list), matchers: map[string]*matcher{}}
	for _, name := range codeFields {
		r.matchers[name] = &matcher{}
	}
	var err error
	if r.sentences, err = newSentences(r.rules); err != nil {
		return nil, err
	}
	for i, rule := range r.rules {
		if rule.Where == inSentence {
			continue
		}
		p, err := compile(i, rule)
		if err != nil {
			return nil, err
		}
		where := strings.ToLower(rule.Where)
		m := r.matchers[where]
		if m == nil {
			m = &matcher{}
			r.matchers[where] = m
		}
		m.add(p)
	}
	return r, nil
}

// List returns the rules that r was made of.
func (r *Rules) List() []Rule { return slices.Clone(r.rules) }

// matcher returns what to compare the field called name with, or nil if the
// field tells nothing.
func (r *Rules) matcher(name string) *matcher {
	var buf [48]byte
	if len(name) > len(buf) {
		return nil
	}
	return r.matchers[string(lowerASCII(buf[:0], name))]
}
