package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// How much has been read is shown once it takes longer than a moment.
func TestProgress(t *testing.T) {
	var screen bytes.Buffer
	p := &progress{w: &screen, total: 1000, begun: time.Now()}
	read := func(octets int) {
		t.Helper()
		if _, err := io.CopyN(io.Discard, p.count(strings.NewReader(strings.Repeat("x", octets))), int64(octets)); err != nil {
			t.Fatal(err)
		}
	}
	read(250)
	if screen.Len() > 0 {
		t.Errorf("shown at once: %q", &screen)
	}
	p.begun = p.begun.Add(-2 * progressAfter)
	read(250)
	if !strings.Contains(screen.String(), " 50% ") {
		t.Errorf("shows %q at half of it", &screen)
	}
	p.clear()
	if !strings.HasSuffix(screen.String(), "\r") {
		t.Errorf("%q: not taken off the screen", &screen)
	}
}

// Who goes on reading after the end, since he is not waited for, draws nothing.
func TestProgressIsFinished(t *testing.T) {
	var screen bytes.Buffer
	p := &progress{w: &screen, total: 1000, begun: time.Now().Add(-2 * progressAfter)}
	p.finish()
	p.add(500)
	if screen.Len() > 0 {
		t.Errorf("shows %q", &screen)
	}
}

// Pipes do not tell how much is in them.
func TestProgressOfPipe(t *testing.T) {
	var screen bytes.Buffer
	p := &progress{w: &screen, begun: time.Now().Add(-2 * progressAfter)}
	p.add(5000)
	if !strings.Contains(screen.String(), "5.0 kB") {
		t.Errorf("shows %q", &screen)
	}
}

// One reads while another prints; the race detector looks at it.
func TestProgressOfTwo(t *testing.T) {
	p := &progress{w: io.Discard, total: 1000, begun: time.Now().Add(-2 * progressAfter)}
	var reading sync.WaitGroup
	reading.Go(func() {
		for range 100 {
			p.add(1)
		}
	})
	for range 100 {
		p.clear()
	}
	p.finish()
	reading.Wait()
}

// It is shown on terminals only.
func TestProgressNeedsTerminal(t *testing.T) {
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // of their kind
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	files := []messageFile{{"one", 200}, {"two", 300}}
	if p := newProgress(device, files); p.w == nil || p.total != 500 {
		t.Errorf("on a terminal: %+v", p)
	}
	for _, w := range []io.Writer{file, new(bytes.Buffer)} {
		if p := newProgress(w, files); p.w != nil {
			t.Errorf("on %T it is shown", w)
		}
	}
}
