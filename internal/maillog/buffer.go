package maillog

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	bufferSize  = 1 << 20               // octets of lines that may wait to be written
	bufferDelay = 20 * time.Millisecond // how long a line waits for company
	closeWait   = 2 * time.Second       // for a reader that has stalled, at the end
)

// Buffer is a writer that never waits: lines are kept and written by a
// goroutine. When more than 1 MiB waits, new lines are dropped, and counted in
// a line of their own once writing goes on. A crash loses the lines of the
// last few hundredths of a second.
type Buffer struct {
	out  io.Writer
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	lines   []byte
	dropped int
	closed  bool
}

// NewBuffer starts a Buffer in front of w.
func NewBuffer(w io.Writer) *Buffer {
	b := &Buffer{out: w, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go b.run()
	return b
}

// Write keeps one line. It always succeeds.
func (b *Buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.lines)+len(line) > bufferSize {
		b.dropped++
		return len(line), nil
	}
	b.lines = append(b.lines, line...)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// Close writes what is kept and ends the goroutine. It gives up on a reader
// that has stalled.
func (b *Buffer) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.wake)
	}
	b.mu.Unlock()
	t := time.NewTimer(closeWait)
	defer t.Stop()
	select {
	case <-b.done:
		return nil
	case <-t.C:
		return errors.New("log not written to its end: its reader has stalled")
	}
}

func (b *Buffer) run() {
	defer close(b.done)
	var spare []byte
	for range b.wake {
		time.Sleep(bufferDelay)
		spare = b.writeOut(spare)
	}
	b.writeOut(spare)
}

// writeOut swaps the kept lines for an empty buffer and writes them.
func (b *Buffer) writeOut(spare []byte) []byte {
	b.mu.Lock()
	lines, dropped := b.lines, b.dropped
	b.lines, b.dropped = spare[:0], 0
	b.mu.Unlock()
	if dropped > 0 {
		lines = fmt.Appendf(lines, "backscatter-milter: %d log lines dropped: the reader of the log was too slow\n", dropped)
	}
	// There is nobody to tell that the log cannot be written.
	_, _ = b.out.Write(lines)
	return lines
}
