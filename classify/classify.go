package classify

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// maxHeader is how much of a message is read for its header.
const maxHeader = 2 << 20

// Classify reads a message as it stands in a file: with lines that end with LF,
// CRLF or CR, maybe with an mbox postmark before it. An error is one of
// reading; the result is then of what was read until there.
func Classify(r io.Reader, opts Options) (Result, error) {
	s := New(opts)
	maxBody := s.opts.MaxBody
	raw, err := io.ReadAll(io.LimitReader(bufio.NewReader(r), int64(maxHeader+maxBody)))
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read message: %w", err)
	}
	raw = trimBeginning(raw)
	fs, whole := messageHeader(raw)
	for _, f := range fs {
		s.Header(f.name, f.value)
	}
	if s.EndOfHeaders() == Maybe {
		_, _ = s.Write(raw[whole:]) // never fails
	}
	return s.Close(), err
}

// messageHeader reads a message's own header. Unlike within a report, a line
// that is no field does not end it if more header follows: what MTAs accept
// has such lines.
func messageHeader(raw []byte) (fs fields, whole int) {
	p := headerParser{lines: lineReader{data: raw[:min(len(raw), maxHeader)]}, lenient: true}
	block, whole := p.parse()
	text := string(raw[:block])
	for _, s := range p.spans {
		fs = append(fs, field{text[s.name:s.nameEnd], text[s.value:s.end]})
	}
	return fs, whole
}
