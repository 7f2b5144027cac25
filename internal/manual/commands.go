package manual

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Commands writes the page of a program, section 8: what --help tells of it and
// of each command that is not hidden.
func Commands(root *cobra.Command, h Header) string {
	p := newPage(root.Name(), 8, h)
	p.section("NAME")
	p.line(`%s \- %s`, escape(root.Name()), escape(lowerFirst(root.Short)))
	p.section("SYNOPSIS")
	all := commands(root)
	for i, cmd := range all {
		if i > 0 {
			p.line(".br")
		}
		p.line(`\fB%s\fR%s`, escape(cmd.CommandPath()), escape(arguments(cmd)))
	}
	p.section("DESCRIPTION")
	p.text(root.Long)
	p.section("COMMANDS")
	for _, cmd := range all {
		p.command(root, cmd)
	}
	p.section("OPTIONS OF ALL COMMANDS")
	p.flags(root.PersistentFlags())
	for _, s := range remarks() {
		p.section(s.title)
		p.text(s.text)
		for _, item := range s.items {
			p.item(item.name, item.text)
		}
	}
	p.section("SEE ALSO")
	p.line(`\fB%s.toml\fR(5), \fBpostconf\fR(5), \fBmaster\fR(5), \fBsendmail\fR(8)`, escape(root.Name()))
	return p.b.String()
}

// commands lists those that do something, in the order of --help.
func commands(cmd *cobra.Command) []*cobra.Command {
	var list []*cobra.Command
	for _, child := range cmd.Commands() {
		switch {
		case child.Hidden || child.Name() == "help":
		case child.HasSubCommands():
			list = append(list, commands(child)...)
		default:
			list = append(list, child)
		}
	}
	return list
}

// arguments is what follows a command's name, with a blank before it.
func arguments(cmd *cobra.Command) string {
	_, args, _ := strings.Cut(cmd.Use, " ")
	text := ""
	if visible(cmd.NonInheritedFlags()) {
		text = " [OPTION...]"
	}
	if args != "" {
		text += " " + args
	}
	return text
}

func (p *page) command(root, cmd *cobra.Command) {
	p.subsection(strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ") + arguments(cmd))
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	p.text(text)
	p.flags(cmd.NonInheritedFlags())
	for parent := cmd.Parent(); parent != root; parent = parent.Parent() {
		p.flags(parent.PersistentFlags())
	}
	if cmd.Example != "" {
		p.example(unindent(cmd.Example))
	}
}

// flags writes an entry for each flag but that for help.
func (p *page) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + strings.ToUpper(value)
		}
		if !slices.Contains([]string{"", "false", "[]", "0s"}, f.DefValue) && !strings.Contains(text, "(default") {
			text += " (default " + f.DefValue + ")"
		}
		p.item(name, text)
	})
}

func visible(set *pflag.FlagSet) (found bool) {
	set.VisitAll(func(f *pflag.Flag) { found = found || !f.Hidden && f.Name != "help" })
	return found
}

func lowerFirst(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToLower(first)) + text[size:]
}
