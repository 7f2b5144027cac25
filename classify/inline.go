package classify

import "bytes"

// inline is an original found in a text.
type inline struct {
	original Original
	at       int // where in the text
	score    int // how much like a returned header it is
}

// maxCandidates is how many blocks of fields in a text are read.
const maxCandidates = 50

// findInline looks for an original's header in the text of a notice, where it
// may be indented or quoted. The block of fields that tells most is taken: a
// message-id counts for more than anything.
func findInline(text []byte, separators *matcher) inline {
	best := inline{original: Original{Extent: None}, at: -1}
	lines := lineReader{data: text}
	afterSeparator, candidates := false, 0
	var scratch []byte
	previousBlank := true
	for {
		start := lines.pos
		line, ok := lines.next()
		if !ok {
			return best
		}
		prefix := quotePrefix(line)
		bare := line[len(prefix):]
		if len(bytes.TrimSpace(bare)) == 0 {
			previousBlank = true
			continue
		}
		if (previousBlank || afterSeparator || beginsTrace(bare)) && candidates < maxCandidates && beginsHeader(bare) {
			candidates++
			o, size := readInline(text[start:], prefix)
			if score := inlineScore(o, afterSeparator); score > best.score {
				best = inline{o, start, score}
				if afterSeparator && o.MessageID != "" || score >= 8 {
					return best
				}
			}
			if size > 0 {
				lines.pos = max(lines.pos, start+size)
				previousBlank = true
				continue
			}
		}
		previousBlank = false
		if isRuler(bare) || isSeparator(bare, separators, &scratch) {
			afterSeparator = true
		}
	}
}

// quotePrefix returns the quotation marks and blanks that line begins with.
func quotePrefix(line []byte) []byte {
	i := 0
	for i < len(line) && i < 40 && (line[i] == ' ' || line[i] == '\t' || line[i] == '>' || line[i] == '|') {
		if line[i] == '>' && bytes.HasPrefix(line[i:], []byte(">From ")) {
			break
		}
		i++
	}
	return line[:i]
}

func beginsHeader(line []byte) bool {
	if isMboxFrom(line) {
		return true
	}
	nameEnd, _, ok := cutField(line)
	return ok && isMailField(line[:nameEnd])
}

// beginsTrace reports whether line begins one of the fields that MTAs put above
// a header.
func beginsTrace(line []byte) bool {
	return hasPrefixFold(line, "received:") || hasPrefixFold(line, "return-path:") || hasPrefixFold(line, "message-id:")
}

// isRuler reports whether line is drawn across the page, maybe around words.
func isRuler(line []byte) bool {
	if len(line) < 8 {
		return false
	}
	for _, sign := range []string{"--------", "========", "********", "________", "########"} {
		if bytes.Contains(line[:min(len(line), 200)], []byte(sign)) {
			return true
		}
	}
	return false
}

// isSeparator reports whether line announces the original. It folds it in scratch.
func isSeparator(line []byte, separators *matcher, scratch *[]byte) bool {
	if separators == nil || len(line) > 200 {
		return false
	}
	*scratch = fold((*scratch)[:0], line)
	return separators.has(*scratch)
}

// readInline reads the header that text begins with after taking prefix off its
// lines, and returns its length in text.
func readInline(text, prefix []byte) (Original, int) {
	block := text
	size := 0
	if len(prefix) > 0 {
		block, size = unquote(text, prefix)
	}
	fs, n, whole := parseHeader(block)
	if len(prefix) == 0 {
		size = whole
	}
	if len(fs) == 0 {
		return Original{Extent: None}, 0
	}
	o := originalFrom(fs)
	o.Where = InText
	if len(prefix) > 0 {
		o.Where = InQuote
	}
	from := 0
	lines := lineReader{data: block}
	if line, _ := lines.next(); isMboxFrom(line) {
		from = lines.pos
	}
	o.HeaderBlock = bytes.Clone(block[from:min(max(from, n), from+maxHeaderBlock)])
	o.Extent = Headers
	switch {
	case knownFields(fs) < 3:
		o.Extent = Partial
	case len(prefix) == 0 && hasText(block[whole:]):
		o.Extent = Full
	}
	return o, size
}

// unquote copies the lines of a header that begin with prefix, without it.
func unquote(text, prefix []byte) (block []byte, size int) {
	lines := lineReader{data: text}
	for {
		start := lines.pos
		line, ok := lines.next()
		after, quoted := bytes.CutPrefix(line, prefix)
		if !ok || !quoted || len(bytes.TrimSpace(after)) == 0 || len(block) > maxHeaderBlock {
			return block, max(start, 1)
		}
		block = append(block, after...)
		block = append(block, text[start+len(line):min(lines.pos, len(text))]...)
	}
}

// inlineScore says how much like a returned header o is; 0: not at all.
func inlineScore(o Original, afterSeparator bool) int {
	score := 0
	for _, there := range []bool{o.From != "", o.To != "", o.Date != "", o.Subject != "", o.ReturnPath != ""} {
		if there {
			score++
		}
	}
	if o.MessageID != "" {
		score += 4
	}
	if len(o.Received) > 0 {
		score += 3
	}
	if len(o.DKIMSignatures) > 0 {
		score += 2
	}
	if afterSeparator {
		score++
	}
	if score < 2 {
		return 0
	}
	return score
}
