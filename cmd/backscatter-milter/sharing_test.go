package main

import (
	"slices"
	"testing"
	"time"

	"github.com/backscatter-milter/backscatter-milter/internal/control"
)

func TestHostWarnings(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	got := hostWarnings([]control.SharedHost{
		{Name: "sound", Heard: now.Add(-time.Second), Skew: "1s"},
		{Name: "silent", Heard: now.Add(-5 * time.Minute), Skew: "0s"},
		{Name: "behind", Heard: now, Skew: "-1h0m0s"},
	}, now)
	want := []string{
		`nothing heard of the host "silent" for 5m0s`,
		`the clock of the host "behind" differs from this one's by -1h0m0s`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
