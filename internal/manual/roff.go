package manual

import (
	"fmt"
	"strings"
)

// Header is what stands at the edges of a page.
type Header struct {
	Version string
	Date    string // YYYY-MM-DD
}

// page is a manual page under way, in the macros of man(7).
type page struct {
	b       strings.Builder
	started bool // a section has begun, and a paragraph with it
}

func newPage(name string, section int, h Header) *page {
	p := &page{}
	p.line(`.\" Made by backscatter-milter manual: what it is made of is in --help and config.toml.`)
	p.line(".TH %s %d %s %s %s", quote(strings.ToUpper(name)), section, h.Date, quote("backscatter-milter "+h.Version), quote("System administration"))
	return p
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *page) section(name string) {
	p.line(".SH %s", quote(name))
	p.started = true
}

func (p *page) subsection(name string) {
	p.line(".SS %s", quote(name))
	p.started = true
}

func (p *page) paragraph() {
	if !p.started {
		p.line(".PP")
	}
	p.started = false
}

// text writes paragraphs. They are separated by empty lines; one whose lines
// are all indented is shown as it is.
func (p *page) text(text string) {
	for paragraph := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if strings.HasPrefix(paragraph, "  ") {
			p.example(unindent(paragraph))
			continue
		}
		p.paragraph()
		p.filled(paragraph)
	}
}

// filled writes text whose line breaks mean nothing.
func (p *page) filled(text string) {
	for _, line := range wrap(text, 72) {
		p.line("%s", escapeLine(line))
	}
}

// item writes an entry of a list, its name in bold.
func (p *page) item(name, text string) {
	p.line(".TP")
	p.started = false
	p.line(`\fB%s\fR`, escape(name))
	p.filled(text)
}

// example writes lines as they are, indented.
func (p *page) example(text string) {
	p.paragraph()
	p.line(".RS 4")
	p.line(".EX")
	for line := range strings.SplitSeq(text, "\n") {
		p.line("%s", escapeLine(line))
	}
	p.line(".EE")
	p.line(".RE")
}

// quote makes an argument of a macro.
func quote(text string) string { return `"` + strings.ReplaceAll(escape(text), `"`, `\(dq`) + `"` }

// escapeLine makes a line of text: one that begins with a control character of
// roff's would be taken for a macro.
func escapeLine(line string) string {
	if strings.HasPrefix(line, ".") {
		line = `\&` + escape(line)
		return line
	}
	return escape(line)
}

// escape makes text of what means something to roff, or is no ASCII, and keeps
// quotes and hyphens from becoming typographical ones: they are to be copied.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r > 126:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// wrap breaks text into lines of at most so many characters, where its words
// allow it.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// unindent takes the indentation of the first line off all lines.
func unindent(text string) string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], indent)
	}
	return strings.Join(lines, "\n")
}
