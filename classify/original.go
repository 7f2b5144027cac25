package classify

import (
	"bytes"
	"strings"
)

// Limits of what is kept of an original.
const (
	maxHeaderBlock = 64 << 10
	maxReceived    = 50
	maxSignatures  = 10
)

// findOriginal looks for the original in what the parts of a notification hold;
// notice is the index of the one with the notice itself, or -1. It returns the
// index of the part that the original is in, or -1, and where in it.
func findOriginal(parts []part, notice int, separators *matcher) (o Original, index, at int) {
	for i, find := range []func() (Original, int, int){
		func() (Original, int, int) { return originalInPart(parts) },
		func() (Original, int, int) { return originalInAttachment(parts, notice) },
	} {
		if o, index, at = find(); index >= 0 {
			o.Where = []string{InPart, InAttachment}[i]
			return o, index, at
		}
	}
	return originalInText(parts, notice, separators)
}

// originalInPart takes the first part that says it is a message or a header.
func originalInPart(parts []part) (Original, int, int) {
	for i := range parts {
		p := &parts[i]
		if !isMessagePart(p.media) {
			continue
		}
		if o, ok := readOriginal(p.decoded(), 1); ok {
			if strings.Contains(p.media, "header") {
				o.Extent = Headers
			}
			return o, i, 0
		}
	}
	return Original{}, -1, -1
}

// originalInAttachment takes the first part that is a message without saying so.
func originalInAttachment(parts []part, notice int) (Original, int, int) {
	for i := range parts {
		if p := &parts[i]; i != notice && !isForeignMedia(p.media) {
			if o, ok := readOriginal(p.decoded(), 3); ok {
				return o, i, 0
			}
		}
	}
	return Original{}, -1, -1
}

// originalInText takes what looks most like a message in the texts.
func originalInText(parts []part, notice int, separators *matcher) (best Original, index, at int) {
	best, index, at = Original{Extent: None}, -1, -1
	score := 0
	for i := range parts {
		p := &parts[i]
		if isForeignMedia(p.media) && i != notice {
			continue
		}
		text := p.decoded()
		if p.media == "text/html" {
			text = htmlText(text)
		}
		if f := findInline(text, separators); f.score > score {
			best, index, at, score = f.original, i, f.at, f.score
		}
	}
	return best, index, at
}

// isMessagePart reports whether a part of this type is a message or its header,
// by any of the names that are in use.
func isMessagePart(media string) bool {
	return strings.Contains(media, "rfc822") || strings.Contains(media, "rfc-822") || strings.HasPrefix(media, "message/global") && !strings.Contains(media, "status") && !strings.Contains(media, "disposition") ||
		media == "message/partial" || media == "message/news"
}

// isForeignMedia reports whether a part of this type holds no text of a header.
func isForeignMedia(media string) bool {
	for _, prefix := range []string{"image/", "audio/", "video/", "text/html", "message/disposition", "message/feedback", "application/pdf", "application/zip", "text/calendar"} {
		if strings.HasPrefix(media, prefix) {
			return true
		}
	}
	return false
}

// readOriginal reads a message that b is, or begins with: at least so many of
// its fields have to be such as mail carries.
func readOriginal(b []byte, atLeast int) (Original, bool) {
	b = trimBlankLines(b)
	fs, block, whole := parseHeader(b)
	if knownFields(fs) < atLeast {
		return Original{}, false
	}
	from := 0
	lines := lineReader{data: b}
	if line, _ := lines.next(); isMboxFrom(line) {
		from = lines.pos
	}
	o := originalFrom(fs)
	o.HeaderBlock = bytes.Clone(b[from:min(max(from, block), from+maxHeaderBlock)])
	o.Extent = Headers
	if hasText(b[whole:]) {
		o.Extent = Full
	}
	return o, true
}

func trimBlankLines(b []byte) []byte {
	lines := lineReader{data: b}
	for {
		start := lines.pos
		line, ok := lines.next()
		if !ok || len(bytes.TrimSpace(line)) > 0 {
			return b[min(start, len(b)):]
		}
	}
}

// knownFields counts the different fields in fs that mail is known to have.
func knownFields(fs fields) int {
	n := 0
	for i, f := range fs {
		if isMailField([]byte(f.name)) && !fs[:i].has(f.name) {
			n++
		}
		if i > 60 {
			break
		}
	}
	return n
}

// originalFrom takes what is told of an original from its header.
func originalFrom(fs fields) Original {
	o := Original{
		From:       decodeValue(fs.first("From"), ""),
		To:         decodeValue(fs.first("To"), ""),
		Date:       unfold(fs.first("Date")),
		Subject:    decodeValue(fs.first("Subject"), ""),
		ReturnPath: strings.Trim(unfold(fs.first("Return-Path")), "<> "),
		MessageID:  messageID(fs.first("Message-ID")),
	}
	for _, v := range fs.all("Received", maxReceived) {
		o.Received = append(o.Received, unfold(v))
	}
	for _, v := range fs.all("DKIM-Signature", maxSignatures) {
		o.DKIMSignatures = append(o.DKIMSignatures, unfold(v))
	}
	return o
}

// hasText reports whether b holds anything but white space.
func hasText(b []byte) bool {
	for _, c := range b {
		if c > ' ' {
			return true
		}
	}
	return false
}
