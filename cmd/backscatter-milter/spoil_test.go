package main

import (
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/backscatter-milter/backscatter-milter/internal/store"
)

// cmdSpoil damages every record of the journal of decisions in a store that no
// daemon uses: spoil FILE.
func cmdSpoil(ts *testscript.TestScript, _ bool, args []string) {
	s, err := store.Open(ts.MkAbs(args[0]), store.Options{Now: time.Now})
	ts.Check(err)
	names, err := s.Buckets()
	ts.Check(err)
	spoilt := 0
	for _, name := range names {
		if !strings.HasPrefix(name, "journal-") {
			continue
		}
		ts.Check(s.Bucket(name).Each(func(key string, value []byte) error {
			value[len(value)/2] ^= 1
			s.Bucket(name).Put(key, value)
			spoilt++
			return nil
		}))
	}
	ts.Check(s.Close())
	if spoilt == 0 {
		ts.Fatalf("there is nothing to spoil in %s", args[0])
	}
}
