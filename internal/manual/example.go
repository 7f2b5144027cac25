package manual

import (
	"fmt"
	"strings"
)

// A setting is a key of the example configuration.
type setting struct {
	table string // the header above it as it is written, "[batv]" or "[[dnsbl]]"; "" at the top
	name  string // its name in the table
	value string // as it is written
	prose string // the comment above it; settings that follow each other share it
}

// path is the name by which config knows the setting.
func (s setting) path() string {
	table := strings.Trim(s.table, "[]")
	if table == "" {
		return s.name
	}
	return table + "." + s.name
}

// An example is what the example configuration holds, in its order.
type example struct {
	intro    []string // paragraphs of the comment at its head
	settings []setting
	tables   map[string]string // header: the comment above it
}

// readExample reads the example configuration: comments begin with "# ",
// settings that are off with "#".
func readExample(text string) (*example, error) {
	e := &example{tables: map[string]string{}}
	head, body, _ := strings.Cut(text, "\n\n")
	for paragraph := range strings.SplitSeq(head, "\n#\n") {
		e.intro = append(e.intro, comment(strings.Split(paragraph, "\n")))
	}
	var table string
	var prose []string
	for i, line := range strings.Split(body, "\n") {
		uncommented := strings.TrimPrefix(line, "#")
		name, value, isSetting := strings.Cut(uncommented, " = ")
		switch {
		case strings.HasPrefix(line, "# "):
			prose = append(prose, line)
		case line == "":
			prose = nil
		case strings.HasPrefix(uncommented, "["):
			table = uncommented
			e.tables[table] = comment(prose)
		case isSetting:
			e.settings = append(e.settings, setting{table, name, value, comment(prose)})
		default:
			return nil, fmt.Errorf("config.toml: line %d after the head: %q is no comment, table or setting", i+1, line)
		}
	}
	return e, nil
}

// comment joins the lines of a comment.
func comment(lines []string) string {
	words := make([]string, len(lines))
	for i, line := range lines {
		words[i] = strings.TrimSpace(strings.TrimPrefix(line, "#"))
	}
	return strings.Join(words, " ")
}
