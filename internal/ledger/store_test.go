package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

func TestGroups(t *testing.T) {
	fps := []uint64{uint64(kindID)<<kindShift | 7, uint64(kindWithoutID)<<kindShift | 1<<60}
	group := encodeGroup(fps)
	if got, ok := decodeGroup(nil, group); !ok || !slices.Equal(got, fps) || len(group) != 2*8+4 {
		t.Errorf("%x, %v", got, ok)
	}
	for n := range group {
		if _, ok := decodeGroup(nil, group[:n]); ok {
			t.Errorf("%d octets of it are taken for a group", n)
		}
		bad := slices.Clone(group)
		bad[n] ^= 0x40
		if got, ok := decodeGroup(fps[:1:1], bad); ok || len(got) != 1 {
			t.Errorf("octet %d changed: %x, %v", n, got, ok)
		}
	}
	for _, fp := range []uint64{0, 1, 7 << kindShift} {
		if _, ok := decodeGroup(nil, encodeGroup([]uint64{fp})); ok {
			t.Errorf("%x is of no kind", fp)
		}
	}
}

// TestDamaged: what cannot be read is passed over, counted, and a gap.
func TestDamaged(t *testing.T) {
	tests := []struct {
		name    string
		damage  func(*fakeStore)
		sent    bool // the sound group is used
		covered [2]bool
		kind    error
	}{
		{"nothing", func(*fakeStore) {}, true, [2]bool{true, true}, nil},
		{"a group", func(s *fakeStore) {
			d := dayOf(date("2026-11-02 00:00"))
			s.groups[d] = append(s.groups[d], []byte("x"), nil, make([]byte, 1<<16))
		}, true, [2]bool{false, true}, ErrDamaged},
		{"gaps", func(s *fakeStore) { s.meta[gapsKey] = []byte("{") }, true, [2]bool{false, false}, ErrDamaged},
		{"gaps missing", func(s *fakeStore) { delete(s.meta, gapsKey) }, true, [2]bool{false, false}, ErrDamaged},
		{"too many gaps", func(s *fakeStore) {
			s.meta[gapsKey] = []byte("[{}" + strings.Repeat(",{}", maxGaps) + "]")
		}, true, [2]bool{false, false}, ErrDamaged},
		{"heartbeat", func(s *fakeStore) { s.meta[beatKey] = []byte(`{"Last":-5}`) }, true, [2]bool{false, false}, ErrDamaged},
		{"heartbeat missing", func(s *fakeStore) { delete(s.meta, beatKey) }, true, [2]bool{false, false}, ErrDamaged},
		{"first entry", func(s *fakeStore) { s.meta[domainKey+"example.com"] = []byte("soon") }, true, [2]bool{false, false}, ErrDamaged},
		{"secret", func(s *fakeStore) { s.meta[secretKey] = []byte("short") }, false, [2]bool{false, false}, ErrSecret},
		{"version", func(s *fakeStore) { s.meta[versionKey] = []byte("2") }, false, [2]bool{false, false}, ErrSecret},
		{"all small records", func(s *fakeStore) { clear(s.meta) }, false, [2]bool{false, false}, ErrSecret},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t)
			f.sent(message("first"))
			f.live(12 * time.Hour)
			f.sent(message("sound"))
			f.live(2 * day)
			f.stop()
			tt.damage(f.store)
			f.open()
			f.live(time.Hour)
			if f.Sent("alice@example.com", "sound") != tt.sent {
				t.Errorf("the sound group: %v", !tt.sent)
			}
			f.covers(tt.covered[0], date("2026-11-02 12:00"))
			f.covers(tt.covered[1], date("2026-11-03 12:00"))
			if tt.kind == nil {
				if len(f.reports) > 0 {
					t.Errorf("reported %v", f.reports)
				}
				return
			}
			if f.reported(tt.kind) != 1 || errors.Is(tt.kind, ErrDamaged) != (f.Stats().Damaged > 0) {
				t.Errorf("reported %v, %+v", f.reports, f.Stats())
			}
			f.stop() // and it heals: the ledger goes on
			f.sent()
			f.open()
			f.sent(message("new"))
			f.live(day)
			if !f.Sent("alice@example.com", "new") {
				t.Error("it does not go on")
			}
			f.covers(true, f.clockTime().Add(-time.Hour))
			for day := range f.store.groups {
				if !tt.sent && day < dayOf(date("2026-11-03 12:00")) {
					t.Errorf("day %d is of no use, and kept", day)
				}
			}
		})
	}
}

// TestUnreadable: a store whose records cannot be read is left alone.
func TestUnreadable(t *testing.T) {
	f := newFixture(t)
	f.store.fail = errors.New("input/output error")
	f.options.Store = f.store
	l, err := Open(f.options)
	if !errors.Is(err, f.store.fail) {
		t.Errorf("error %v", err)
	}
	l.Record(message("a"))
	l.Close()
	if !l.Sent("alice@example.com", "a") || len(f.store.queue) > 0 {
		t.Error("not kept in memory, or written over what could not be read")
	}
}

func TestMemoryOnly(t *testing.T) {
	f := newFixture(t)
	l, err := Open(f.options)
	if err != nil {
		t.Fatal(err)
	}
	l.Record(message("a"))
	l.Close()
	if !l.Sent("alice@example.com", "a") {
		t.Error("not in memory")
	}
}

// TestStoreLoses: what the store had to drop is a gap.
func TestStoreLoses(t *testing.T) {
	f := start(t)
	f.sent(message("first"))
	f.live(day)
	f.store.mu.Lock()
	f.store.lost = 3
	f.store.mu.Unlock()
	f.jump(time.Minute)
	f.Heartbeat()
	lost := f.clockTime()
	f.live(day)
	f.covers(false, lost.Add(-30*time.Second))
	f.covers(true, lost.Add(Skew+time.Second))
	if f.reported(ErrStore) != 1 || f.Stats().Gaps != 1 || f.Stats().StoreLost != 3 {
		t.Errorf("%v, %s", f.reports, f.list())
	}
}

// TestStorePanics: a fault behind the ledger's back does not end the process.
func TestStorePanics(t *testing.T) {
	f := start(t)
	f.sent(message("first"))
	f.live(day)
	f.store.mu.Lock()
	f.store.broken = true
	f.store.mu.Unlock()
	f.sent(message("a"))
	at := f.clockTime()
	f.store.mu.Lock()
	f.store.broken = false
	f.store.mu.Unlock()
	f.live(day)
	f.covers(false, at)
	f.covers(true, at.Add(time.Hour))
	if !f.Sent("alice@example.com", "a") || f.reported(ErrPanic) != 1 {
		t.Errorf("reported %v", f.reports)
	}
}

// TestOnDisk lives with a real file, and is killed: the file is copied away
// while the daemon runs.
func TestOnDisk(t *testing.T) {
	f := newFixture(t)
	var s *store.Store
	begin := func(path string) {
		t.Helper()
		var err error
		if s, err = store.Open(path, store.Options{Now: f.clockTime, Report: func(err error) { t.Error(err) }}); err != nil {
			t.Fatal(err)
		}
		f.options.Store = File(s, f.clockTime)
		if f.Ledger, err = Open(f.options); err != nil {
			t.Fatal(err)
		}
	}
	end := func() {
		t.Helper()
		f.Close()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want ...string) {
		t.Helper()
		for _, id := range want {
			if !f.Sent("alice@example.com", id) || !f.Queued("alice@example.com", "Q"+id) {
				t.Errorf("%s is missing", id)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "state.db")
	begin(path)
	for d := range 3 {
		for i := range 3 { // three groups at the same time
			f.sent(message(fmt.Sprint(d, i)))
		}
		f.live(day)
	}
	end()
	begin(path)
	check("0 0", "0 1", "0 2", "1 1", "2 2")
	f.sent(message("late"))
	f.Record(message("latest"))
	time.Sleep(time.Second) // what a crash may cost
	killed := filepath.Join(t.TempDir(), "state.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(killed, data, 0o600); err != nil {
		t.Fatal(err)
	}
	end()
	f.jump(6 * time.Hour)
	begin(killed)
	check("0 0", "2 2", "late", "latest")
	f.covers(false, f.clockTime().Add(-3*time.Hour))
	f.covers(true, f.clockTime().Add(-7*time.Hour))
	secret := ""
	f.options.Store.Meta(func(key string, value []byte) error {
		if key == secretKey {
			secret = string(value)
		}
		return nil
	})
	if len(secret) != secretOctets || strings.Contains(fmt.Sprintf("%v %+v", f.reports, f.Stats()), secret) {
		t.Errorf("a secret of %d octets", len(secret))
	}
	f.live(lifetime + 2*day)
	end()
	s, err = store.Open(killed, store.Options{Now: f.clockTime})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if days, err := File(s, f.clockTime).Days(); len(days) != 0 || err != nil {
		t.Errorf("days %v, %v: not expired", days, err)
	}
}
