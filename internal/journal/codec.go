package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"time"
)

// Records of the store: a version, the content, and a CRC-32 (IEEE) over both,
// little-endian. Numbers are varints, strings have their length before them.
const (
	version   = 1
	sumOctets = 4
)

var errRecord = errors.New("journal: a record that cannot be read")

func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// reader takes a record apart. After a failure it gives zeros.
type reader struct {
	b      []byte
	failed bool
}

// unseal checks a record and returns its content.
func unseal(record []byte) (*reader, error) {
	n := len(record) - sumOctets
	if n < 1 || record[0] != version || crc32.ChecksumIEEE(record[:n]) != binary.LittleEndian.Uint32(record[n:]) {
		return nil, errRecord
	}
	return &reader{b: record[1:n]}, nil
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.failed = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.failed = nil, true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) truth() bool { return r.number() != 0 }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTruth(b []byte, yes bool) []byte {
	if yes {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendEntry(b []byte, e *Entry) []byte {
	b = binary.AppendUvarint(b, e.Seq)
	b = binary.AppendUvarint(b, uint64(e.At.UnixMicro()))
	for _, word := range e.words() {
		b = appendText(b, *word)
	}
	b = appendText(b, string(e.Client.AsSlice()))
	b = appendText(b, e.From)
	b = binary.AppendUvarint(b, uint64(len(e.To)))
	for _, to := range e.To {
		b = appendText(b, to)
	}
	b = binary.AppendUvarint(b, uint64(e.MoreTo))
	b = appendText(b, e.Evidence)
	b = appendTruth(b, e.Enforced)
	b = binary.AppendUvarint(b, uint64(e.Took))
	return binary.AppendUvarint(b, e.Skipped)
}

// entry reads one entry. same gives strings that were seen before, so that a
// word that stands in each entry is in memory once.
func (r *reader) entry(same func(string) string) (e Entry) {
	e.Seq = r.number()
	e.At = time.UnixMicro(int64(r.number())).UTC()
	for _, word := range e.words() {
		*word = r.text()
	}
	for _, word := range []*string{&e.Stage, &e.Action, &e.Reason, &e.Class, &e.Origin} {
		*word = same(*word)
	}
	e.Client, _ = netip.AddrFromSlice([]byte(r.text()))
	e.From = same(r.text())
	n := r.number()
	if n > MaxTo {
		r.failed = true
		return e
	}
	e.To = make([]string, 0, n)
	for range n {
		e.To = append(e.To, same(r.text()))
	}
	e.MoreTo = int(r.number())
	e.Evidence = same(r.text())
	e.Enforced = r.truth()
	e.Took = time.Duration(r.number())
	e.Skipped = r.number()
	return e
}

func encodeGroup(entries []Entry) []byte {
	b := []byte{version}
	for i := range entries {
		b = appendEntry(b, &entries[i])
	}
	return seal(b)
}

func decodeGroup(record []byte, same func(string) string) ([]Entry, error) {
	r, err := unseal(record)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for len(r.b) > 0 {
		e := r.entry(same)
		if r.failed {
			return nil, errRecord
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func encodeHour(counts map[Key]uint64) []byte {
	b := []byte{version}
	for k, n := range counts {
		b = appendText(b, k.Event)
		b = appendText(b, k.Action)
		b = appendText(b, k.Reason)
		b = appendText(b, k.Class)
		b = appendText(b, k.Origin)
		b = appendTruth(b, k.Enforced)
		b = binary.AppendUvarint(b, n)
	}
	return seal(b)
}

func decodeHour(record []byte, same func(string) string) (map[Key]uint64, error) {
	r, err := unseal(record)
	if err != nil {
		return nil, err
	}
	counts := make(map[Key]uint64)
	for len(r.b) > 0 && len(counts) < maxKeys {
		k := Key{Event: same(r.text()), Action: same(r.text()), Reason: same(r.text()), Class: same(r.text()), Origin: same(r.text()), Enforced: r.truth()}
		n := r.number()
		if r.failed {
			return nil, errRecord
		}
		counts[k] += n
	}
	return counts, nil
}

// sameStrings gives equal strings the same memory, as long as there are few.
func sameStrings() func(string) string {
	const many = 1 << 14
	seen := make(map[string]string)
	return func(s string) string {
		if old, ok := seen[s]; ok {
			return old
		}
		if len(seen) < many {
			seen[s] = s
		}
		return s
	}
}
