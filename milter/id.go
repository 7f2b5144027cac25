package milter

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// idSource makes decision ids: short, unique over restarts, in order within a
// run. Postfix has no queue id when the first recipient is judged.
type idSource struct {
	run  string
	last atomic.Uint64
}

func newIDSource(start time.Time) idSource {
	return idSource{run: strings.ToUpper(strconv.FormatInt(start.UnixMilli(), 36))}
}

func (s *idSource) next() uint64 { return s.last.Add(1) }

func (s *idSource) format(n uint64) string {
	return s.run + "-" + strings.ToUpper(strconv.FormatUint(n, 36))
}
