package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
)

// What a key does is told by what signs at that time.
func TestKeyState(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC) }
	ring, err := batv.NewKeyring(
		batv.Key{Number: 1, Secret: []byte("1"), Signing: true, Retired: at(10)},
		batv.Key{Number: 2, Secret: []byte("2"), SignFrom: at(10)},
		batv.Key{Number: 3, Secret: []byte("3")},
		batv.Key{Number: 1, Secret: []byte("own"), Signing: true, Domains: []string{"example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[int]string{
		9:  "signs until 2026-11-10T12:00:00Z; verifies, signs from 2026-11-10T12:00:00Z; verifies; signs",
		10: "retired, verifies until 2026-11-17; signs; verifies; signs",
		17: "retired, verifies until 2026-11-17; signs; verifies; signs",
		18: "retired 2026-11-10, verifies no more; signs; verifies; signs",
	} {
		var states []string
		for _, k := range ring.Keys() {
			states = append(states, KeyState(ring, k, at(day), 7))
		}
		if got := strings.Join(states, "; "); got != want {
			t.Errorf("day %d: %s", day, got)
		}
	}
}
