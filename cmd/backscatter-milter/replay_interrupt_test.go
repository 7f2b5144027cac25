package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// replaying is a run of replay in a folder of its own: two messages are in box,
// and silent is a pipe that somebody may write to.
type replaying struct {
	*testing.T
	cmd            *exec.Cmd
	stdout, stderr *bufio.Reader
	silent         string
}

func newReplaying(t *testing.T, args ...string) *replaying {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config.toml", "domains = [\"example.com\"]\n")
	message := "From MAILER-DAEMON Mon Nov  2 10:00:05 2026\nTo: alice@example.com\nSubject: Hello\n\nHello\n\n"
	write("box", message+message)
	r := &replaying{T: t, silent: filepath.Join(dir, "silent")}
	if err := syscall.Mkfifo(r.silent, 0o600); err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command("backscatter-milter", append([]string{"replay"}, args...)...)
	r.cmd.Dir = dir
	r.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "STATE_DIRECTORY="+filepath.Join(dir, "state"), "BACKSCATTER_MILTER_CONFIG="+filepath.Join(dir, "config.toml"))
	return r
}

// start runs it, with an end of itself should nothing else end it. Its output is
// read from pipes if it has no other place.
func (r *replaying) start() {
	r.Helper()
	pipe := func(open func() (io.ReadCloser, error)) *bufio.Reader {
		p, err := open()
		if err != nil {
			r.Fatal(err)
		}
		return bufio.NewReader(p)
	}
	if r.cmd.Stdout == nil {
		r.stdout = pipe(r.cmd.StdoutPipe)
	}
	r.stderr = pipe(r.cmd.StderrPipe)
	if err := r.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	killer := time.AfterFunc(20*time.Second, func() { _ = r.cmd.Process.Kill() })
	r.Cleanup(func() { killer.Stop() })
}

func (r *replaying) interrupt() {
	r.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGINT); err != nil {
		r.Fatal(err)
	}
}

// wantLine reads up to a line that begins so.
func (r *replaying) wantLine(from *bufio.Reader, begins string) {
	r.Helper()
	var read strings.Builder
	for {
		line, err := from.ReadString('\n')
		read.WriteString(line)
		if strings.HasPrefix(line, begins) {
			return
		}
		if err != nil {
			r.Fatalf("no line begins with %q: %v\n%s", begins, err, read.String())
		}
	}
}

// What is interrupted while it waits for input tells of what there was.
func TestReplayIsInterrupted(t *testing.T) {
	for _, where := range []string{"silent", "never-opened", "-"} {
		t.Run(where, func(t *testing.T) {
			path := where
			if where == "never-opened" {
				path = "silent"
			}
			r := newReplaying(t, "--json", "box", path)
			if where == "-" {
				if _, err := r.cmd.StdinPipe(); err != nil {
					t.Fatal(err)
				}
			}
			r.start()
			if where == "silent" { // opened, it has nothing to read
				pipe, err := os.OpenFile(r.silent, os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer pipe.Close()
			}
			r.wantLine(r.stdout, `{"path":"box#1"`)
			r.wantLine(r.stdout, `{"path":"box#2"`)
			r.interrupt()
			r.wantLine(r.stderr, "backscatter-milter: interrupted: this is what there was until then\n")
			r.wantLine(r.stderr, "2 messages in ")
			r.wantLine(r.stderr, "ordinary ")
			_ = r.cmd.Wait()
			if code := r.cmd.ProcessState.ExitCode(); code != exitProblems {
				t.Errorf("%v, want exit code %d", r.cmd.ProcessState, exitProblems)
			}
		})
	}
}

// Where nobody reads what is told, another signal is the end.
func TestReplayIsInterruptedTwice(t *testing.T) {
	r := newReplaying(t, "silent")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	fill(t, in)
	r.cmd.Stdout = in
	r.start()
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(r.silent, os.O_WRONLY, 0) // waits until it is read
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.cmd.Wait()
	}()
	for running := true; running; {
		_ = r.cmd.Process.Signal(syscall.SIGINT) // it may have ended meanwhile
		select {
		case <-ended:
			running = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	if status := r.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGINT {
		t.Errorf("it ended by %v", r.cmd.ProcessState)
	}
}

// fill writes to a pipe until no more goes in.
func fill(t *testing.T, pipe *os.File) {
	t.Helper()
	if err := pipe.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := pipe.Write(make([]byte, 1<<20)); err == nil {
		t.Fatalf("a pipe takes %d octets", n)
	}
}
