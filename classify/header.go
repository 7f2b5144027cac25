package classify

import (
	"bytes"
	"iter"
)

// HeaderFields shows the fields of a message's own header in their order, each
// with its name and its value as it came, that is maybe with a leading blank
// and folded. It reads what MTAs accept: postmarks and lines that are no field
// are passed over.
func HeaderFields(message []byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		fs, _ := messageHeader(trimBeginning(message))
		for _, f := range fs {
			if !yield(f.name, f.value) {
				return
			}
		}
	}
}

// trimBeginning takes off what editors and mailboxes put before a message.
func trimBeginning(raw []byte) []byte {
	return trimBlankLines(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
}

// DecodeHeader gives the value of a header field as people read it: unfolded,
// with its encoded words (RFC 2047) in UTF-8. What cannot be decoded stays.
func DecodeHeader(value string) string { return decodeValue(value, "") }
