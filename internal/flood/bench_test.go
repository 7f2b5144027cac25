//go:build !race

package flood

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func benchSite(b *testing.B) *Flood {
	f := New(Options{Rules: defaults(), Now: time.Now})
	for range 401 {
		f.Unproven(host(2, 1), "")
	}
	for range 51 {
		f.Unproven(other, "alice@example.com")
	}
	b.ReportAllocs()
	b.ResetTimer()
	return f
}

func BenchmarkBlocked(b *testing.B) {
	b.Run("client", func(b *testing.B) {
		f, c := benchSite(b), host(2, 9)
		for b.Loop() {
			if _, blocked := f.Blocked(c, "bob@example.com"); !blocked {
				b.Fatal("not blocked")
			}
		}
	})
	b.Run("recipient", func(b *testing.B) {
		f, c := benchSite(b), host(3, 9)
		for b.Loop() {
			if _, blocked := f.Blocked(c, "alice@example.com"); !blocked {
				b.Fatal("not blocked")
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		f, c := benchSite(b), host(2, 9)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				f.Blocked(c, "bob@example.com")
			}
		})
	})
}

func BenchmarkUnproven(b *testing.B) {
	b.Run("blocked", func(b *testing.B) {
		f, c := benchSite(b), host(2, 9)
		for b.Loop() {
			f.Unproven(c, "bob@example.com")
		}
	})
	b.Run("new clients", func(b *testing.B) {
		f := benchSite(b)
		i := uint32(0)
		for b.Loop() {
			f.Unproven(client(i), "")
			i++
		}
	})
	b.Run("new clients, one domain, parallel", func(b *testing.B) {
		f := benchSite(b)
		b.RunParallel(func(pb *testing.PB) {
			for i := uint32(0); pb.Next(); i++ {
				f.Unproven(client(i), "bob@example.com")
			}
		})
	})
}

func BenchmarkSubject(b *testing.B) {
	f := benchSite(b)
	for name, subject := range map[string]string{
		"usual":    "Undelivered Mail Returned to Sender (alice@example.com)",
		"megabyte": strings.Repeat("word 17 ", 1<<17),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f.Subject(subject)
			}
		})
	}
}

// BenchmarkMillionClients reports what a million clients, recipients and
// subjects take.
func BenchmarkMillionClients(b *testing.B) {
	for b.Loop() {
		before := heap()
		s := newSite(b, nil)
		millionClients(s, func(int) {})
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
		runtime.KeepAlive(s)
	}
}
