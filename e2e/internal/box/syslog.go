//go:build linux

package box

import (
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
)

// syslog is the reader of a box's /dev/log: Sendmail knows no other log, and
// the others can use it as well.
type syslog struct {
	mu    sync.Mutex
	lines strings.Builder
}

func listenSyslog(path string) (*syslog, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, err
	}
	s := &syslog{}
	go s.read(conn)
	return s, nil
}

// priority is the "<22>" that opens a message (RFC 3164, 4.1.1).
var priority = regexp.MustCompile(`^<[0-9]{1,3}>`)

func (s *syslog) read(conn *net.UnixConn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		line := priority.ReplaceAllString(strings.TrimRight(string(buffer[:n]), "\x00\n"), "")
		s.mu.Lock()
		s.lines.WriteString(line + "\n")
		s.mu.Unlock()
	}
}

func (s *syslog) text(offset int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.String()[min(offset, s.lines.Len()):]
}
