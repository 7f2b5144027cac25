package grace_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/internal/grace"
	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// TestOnDisk lives through twelve days with a real file, restarted in the
// middle, and once killed: what a daemon would have written is copied away
// while it runs.
func TestOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	rules := grace.Rules{Lifetime: 10 * 24 * time.Hour}
	key := batv.Key{Number: 3, Secret: []byte("secret")}.ID()
	start := func(path string) (*grace.Grace, *store.Store) {
		t.Helper()
		s, err := store.Open(path, store.Options{Now: func() time.Time { return now }, Report: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatal(err)
		}
		g, err := grace.New(s.Bucket("grace"), rules, now)
		if err != nil {
			t.Fatal(err)
		}
		return g, s
	}
	g, s := start(path)
	for hour := range 24 * 12 {
		now = now.Add(time.Hour)
		if hour == 100 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			now = now.Add(-50 * time.Minute) // a short stop
			g, s = start(path)
			now = now.Add(50 * time.Minute)
		}
		for minute := range 6 { // the heart beats on
			g.Heartbeat(now.Add(time.Duration(minute-5) * 10 * time.Minute))
		}
		g.SawAccepted("example.com", now)
		g.SawSent("example.com", now)
		g.Signed("example.com", grace.KeyID(key), now)
		g.Prove(grace.KeyID(key), now)
		g.SetSPF("example.com", "", now)
	}
	if st := g.Status("example.com", now); !st.Signing.Strict || !st.Learned || st.Signing.Days != 13 {
		t.Errorf("%+v", st)
	}
	time.Sleep(time.Second) // what a crash may cost
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()

	killed := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(killed, data, 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	g, s = start(killed)
	defer s.Close()
	if !g.Strict("example.com", now) || !g.Ours("example.com") || !g.Proven(grace.KeyID(key)) || len(g.Keys()) != 1 {
		t.Errorf("after a crash: %+v, keys %+v", g.Status("example.com", now), g.Keys())
	}
}
