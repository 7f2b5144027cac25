package probe_test

import (
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
)

// TestTomorrow: the way to make the tags of a question that the package comment
// names gives an address that is valid today, and that none of the messages
// still on their way bears.
func TestTomorrow(t *testing.T) {
	keys, err := batv.NewKeyring(batv.Key{Secret: []byte("secret"), Signing: true})
	if err != nil {
		t.Fatal(err)
	}
	s := batv.Scheme{Keys: keys, Layout: batv.LayoutPRVS, Lifetime: 10}
	now := time.Date(2026, 11, 21, 23, 59, 0, 0, time.UTC)
	asked, err := s.Sign("user@example.com", now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if v := s.Verify(asked, now); v.Result != batv.Valid {
		t.Errorf("%s is %v", asked, v.Result)
	}
	for ago := range 900 {
		abroad, err := s.Sign("user@example.com", now.Add(-time.Duration(ago)*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if abroad == asked {
			t.Errorf("%s was signed %d days ago", asked, ago)
		}
	}
}
