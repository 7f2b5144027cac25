package classify

import (
	"bytes"
	"strings"
)

// poses reports whether a notice shows nothing of what it says it is about, but
// wants its reader to follow a link, or to open what is attached: mail systems
// return originals, name recipients, and know no pages for a reader alone.
func (m *message) poses() bool {
	if m.result.Original.Extent != None || m.status.isReport() || looksLikeReport(m.raw) {
		return false
	}
	links, own := m.links()
	switch {
	case own:
		return true
	case m.namesRecipient() != "":
		return false
	case m.hasArchive():
		return true
	}
	return links && !m.facts.null && m.parts[m.notice].media == "text/html"
}

// links reports whether the notice has links to the web, and whether one is made
// for its reader: in a page, with his address in it.
func (m *message) links() (web, own bool) {
	if m.notice < 0 {
		return false, false
	}
	reader := strings.ToLower(m.reader())
	for i := range m.parts {
		if p := &m.parts[i]; i == m.notice || p.media == "text/html" {
			text := p.decoded()
			w, o := linksIn(text[:min(len(text), 4*maxNotice)], reader)
			web, own = web || w, own || o && p.media == "text/html"
		}
	}
	return web, own
}

// maxLinks is how many links of a notice are looked at.
const maxLinks = 200

// linksIn is links for a single text. Pages that explain SPF are made for a
// sender, too: servers name them in replies.
func linksIn(text []byte, reader string) (web, own bool) {
	for range maxLinks {
		at := bytes.Index(text, []byte("://"))
		if at < 0 {
			break
		}
		web, text = true, text[at+3:]
		link := text[:min(len(text), 1000)]
		if end := bytes.IndexAny(link, "\"'<> \t\r\n"); end >= 0 {
			link = link[:end]
		}
		if reader != "" && !bytes.Contains(link, []byte("spf")) && strings.Contains(strings.ReplaceAll(strings.ToLower(string(link)), "%40", "@"), reader) {
			return true, true
		}
	}
	return web, false
}

// hasArchive reports whether a part of the message itself is packed, or a
// program: what comes back does so unpacked.
func (m *message) hasArchive() bool {
	for i := range m.parts {
		if hasAnySuffix(strings.ToLower(m.parts[i].fileName()), ".zip", ".rar", ".7z", ".gz", ".exe", ".scr", ".pif", ".bat", ".cmd", ".js", ".vbs", ".iso", ".img") {
			return true
		}
	}
	return false
}
