package control

import (
	"fmt"
	"io"
)

// Journal is how the last decisions are kept.
type Journal struct {
	Entries int    `json:"entries"`
	Octets  int    `json:"octets"`  // of memory
	Skipped uint64 `json:"skipped"` // of floods, only counted
	Lost    uint64 `json:"lost"`    // too many at once
	Unsaved uint64 `json:"unsaved"` // not taken by the store
	Corrupt uint64 `json:"corrupt"` // records that could not be read
}

func (s *Status) writeJournal(w io.Writer) {
	j := s.Journal
	fmt.Fprintf(w, "decisions\t%d kept, %d MiB", j.Entries, j.Octets>>20)
	for _, trouble := range []struct {
		n    uint64
		what string
	}{{j.Skipped, "only counted"}, {j.Lost, "LOST"}, {j.Unsaved, "records not in the store"}, {j.Corrupt, "records UNREADABLE"}} {
		if trouble.n > 0 {
			fmt.Fprintf(w, "; %d %s", trouble.n, trouble.what)
		}
	}
	fmt.Fprintln(w)
}
