package main

import (
	"cmp"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progressAfter is how long a command works before it shows how far it is.
const progressAfter = time.Second

// progress shows how much has been read, on terminals only, and only once it
// takes longer than a moment. Those who read and those who print may be two.
type progress struct {
	w     io.Writer // nil: no terminal
	total int64
	begun time.Time

	mu       sync.Mutex // guards what follows
	read     int64
	bar      *progressbar.ProgressBar // nil until it is shown
	finished bool
}

// newProgress prepares to show how much of files has been read.
func newProgress(stderr io.Writer, files []messageFile) *progress {
	p := &progress{begun: time.Now()}
	if isTerminal(stderr) {
		p.w = stderr
	}
	for _, f := range files {
		p.total += f.size
	}
	return p
}

// isTerminal reports whether w writes to one, or to another device of its kind.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// count returns r, counting what is read from it.
func (p *progress) count(r io.Reader) io.Reader { return &countingReader{r, p} }

type countingReader struct {
	r io.Reader
	p *progress
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.p.add(n)
	return n, err
}

func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read += int64(n)
	if p.w == nil || p.finished || p.bar == nil && time.Since(p.begun) < progressAfter {
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(cmp.Or(p.total, -1), progressbar.OptionSetWriter(p.w), progressbar.OptionShowBytes(true), progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))
	}
	_ = p.bar.Set64(min(p.read, cmp.Or(p.total, p.read))) // a bar that cannot be drawn is no failure
}

// clear takes the bar off the screen, so that a line can be printed.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// finish takes the bar away for good.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished = true
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
