package classify

import (
	"bytes"
	"html"
	"slices"
	"strings"
)

// htmlText returns what a reader sees of a page: tags are dropped, those that
// break lines break them, style sheets and scripts are left out. It reads on to
// the end whatever the page is made like.
func htmlText(page []byte) []byte {
	out := make([]byte, 0, len(page)/2)
	for len(page) > 0 {
		open := bytes.IndexByte(page, '<')
		if open < 0 {
			out = append(out, page...)
			break
		}
		out = append(out, page[:open]...)
		page = page[open:]
		closes := bytes.HasPrefix(page, []byte("</"))
		size, name, ok := cutTag(page)
		if !ok {
			out = append(out, '<')
			page = page[1:]
			continue
		}
		page = page[size:]
		switch {
		case closes && !slices.Contains(breakingTags, name):
		case name == "style" || name == "script" || name == "title":
			page = skipTo(page, "</"+name)
		case slices.Contains(breakingTags, name):
			out = append(out, '\n')
		}
	}
	if !bytes.ContainsRune(out, '&') {
		return out
	}
	return []byte(html.UnescapeString(string(out)))
}

var breakingTags = []string{"br", "p", "div", "tr", "td", "table", "li", "ul", "h1", "h2", "h3", "h4", "hr", "pre", "blockquote"}

// cutTag returns the length of the tag that b begins with, and its name without
// the slash of a closing tag. A comment is a tag. An address in angle brackets
// is none.
func cutTag(b []byte) (size int, name string, ok bool) {
	if bytes.HasPrefix(b, []byte("<!--")) {
		if end := bytes.Index(b, []byte("-->")); end >= 0 {
			return end + 3, "", true
		}
		return len(b), "", true
	}
	i := 1
	if i < len(b) && strings.IndexByte("/!?", b[i]) >= 0 {
		i++
	}
	start := i
	for i < len(b) && i < 40 && isTagName(b[i]) {
		i++
	}
	if i == start || i < len(b) && strings.IndexByte("@.-_", b[i]) >= 0 {
		return 0, "", false
	}
	end := bytes.IndexByte(b[:min(len(b), maxTag)], '>')
	if end < 0 {
		return 0, "", false
	}
	return end + 1, strings.ToLower(string(b[start:i])), true
}

func isTagName(c byte) bool { return isLetter(c) || '0' <= c && c <= '9' || c == ':' }

// maxTag is how far the end of a tag is looked for.
const maxTag = 4 << 10

// skipTo returns what follows the first closing tag that begins as given.
func skipTo(page []byte, closing string) []byte {
	for i := 0; ; {
		k := bytes.Index(page[i:], []byte("</"))
		if k < 0 {
			return nil
		}
		i += k
		if hasPrefixFold(page[i:], closing) {
			return page[i:]
		}
		i += 2
	}
}
