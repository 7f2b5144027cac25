package dkim

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// Static is a KeySource of keys given by hand, which asks another source for
// those it does not have.
type Static struct {
	Keys map[string]*Key // by DNS name, such as "s1._domainkey.example.com", in lower case
	Next KeySource       // nil: there are no others
}

// Key implements KeySource.
func (s Static) Key(ctx context.Context, selector, domain string) (*Key, error) {
	if k := s.Keys[keyName(selector, domain)]; k != nil {
		return k, nil
	}
	if s.Next == nil {
		return nil, ErrNoKey
	}
	return s.Next.Key(ctx, selector, domain)
}

// ReadKeys reads key records from files, given by the DNS names of the keys. A
// file holds the record as it is, or a zone file's entry with its quoted
// strings, as key generators write it.
func ReadKeys(files map[string]string) (map[string]*Key, error) {
	keys := make(map[string]*Key, len(files))
	for name, path := range files {
		text, err := readRecord(path)
		if err != nil {
			return nil, fmt.Errorf("DKIM key %s: %w", name, err)
		}
		k, err := ParseKey(recordIn(string(text)))
		if err != nil {
			return nil, fmt.Errorf("DKIM key %s: %s: %w", name, path, err)
		}
		keys[strings.ToLower(name)] = k
	}
	return keys, nil
}

// readRecord reads a file of no more than maxRecordFile.
func readRecord(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecordFile+1))
	if err == nil && len(text) > maxRecordFile {
		err = fmt.Errorf("%s: larger than %d KiB", path, maxRecordFile>>10)
	}
	return text, err
}

// maxRecordFile is how large a file with a record may be, comments and all, in
// octets.
const maxRecordFile = 64 << 10

// recordIn takes the record out of the text of a file: its quoted strings
// joined, comments left out (RFC 1035, section 5.1), or all of it if there are
// no quotes.
func recordIn(text string) string {
	if !strings.Contains(text, `"`) {
		return strings.TrimSpace(text)
	}
	var b strings.Builder
	quoted, comment := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case comment:
			comment = c != '\n'
		case c == '"':
			quoted = !quoted
		case !quoted:
			comment = c == ';'
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
