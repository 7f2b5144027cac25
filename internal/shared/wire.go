package shared

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/flood"
	"github.com/backscatter-milter/backscatter-milter/internal/ledger"
)

// Fields of an entry of a stream: who wrote it, and one of the others.
const (
	hostField     = "h" // the host's ID
	instanceField = "i" // and the run of its daemon
	beatField     = "b" // a beat, JSON
	groupField    = "g" // fingerprints, as ledger.EncodeGroup writes them
	dayField      = "d" // with groupField: their day; alone: that stream has more
	nameField     = "n" // of a record of grace
	recordField   = "r" // and the record; absent: it is no more
	countsField   = "c" // flood counts
	blocksField   = "x" // flood blocks, JSON
)

// version is that of what is written here.
const version = 1

// site is what all hosts share.
type site struct {
	Version int    `json:"version"`
	Ledger  []byte `json:"ledger"` // secrets
	Flood   []byte `json:"flood"`
}

func encodeSite(ledger, flood []byte) ([]byte, error) {
	return json.Marshal(site{Version: version, Ledger: ledger, Flood: flood})
}

func decodeSite(text string) (s site, ok bool) {
	err := json.Unmarshal([]byte(text), &s)
	return s, err == nil && len(s.Ledger) == 32 && len(s.Flood) == 16
}

// beat says that a host is alive, and that all it recorded until then has been
// told.
type beat struct {
	Until int64  `json:"u"` // milliseconds since 1970, by the host's clock
	Edge  uint64 `json:"e"` // of its hostRecord
	Join  int64  `json:"j"` // how often it has joined: who is new is told what runs
}

// hostRecord is what a host says of itself.
type hostRecord struct {
	Name  string               `json:"name"`
	Until int64                `json:"until"` // about, as beat.Until
	Begun time.Time            `json:"begun"`
	Gaps  []ledger.Gap         `json:"gaps"`
	First map[string]time.Time `json:"first"`
}

const countOctets = 1 + 8 + 4

func encodeCounts(counts []flood.Counted) []byte {
	b := make([]byte, 0, len(counts)*countOctets)
	for _, c := range counts {
		b = append(b, byte(c.Kind))
		b = binary.LittleEndian.AppendUint64(b, c.Sum)
		b = binary.LittleEndian.AppendUint32(b, uint32(c.Events))
	}
	return b
}

func decodeCounts(b string) (counts []flood.Counted, ok bool) {
	if len(b)%countOctets != 0 {
		return nil, false
	}
	for data := []byte(b); len(data) > 0; data = data[countOctets:] {
		counts = append(counts, flood.Counted{
			Kind: flood.Kind(data[0]), Sum: binary.LittleEndian.Uint64(data[1:]),
			Events: int32(binary.LittleEndian.Uint32(data[9:])),
		})
	}
	return counts, true
}

func decodeBlocks(s string) (blocks []flood.Blocking, ok bool) {
	return blocks, s == "" || json.Unmarshal([]byte(s), &blocks) == nil
}
