package smtp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// RefusedLocalPart opens the local parts of recipients that a Sink refuses.
const RefusedLocalPart = "refused"

// Path is an address of the envelope with the parameters that came with it,
// names in capitals: NOTIFY, ORCPT, RET, ENVID, SIZE, BODY.
type Path struct {
	Address    string
	Parameters map[string]string
}

// Delivery is one message as it reached a Sink.
type Delivery struct {
	From Path
	To   []Path
	Data string // with CRLF line ends, dot-stuffing undone
}

// Header is everything up to the empty line, that line left out.
func (d *Delivery) Header() string {
	header, _, _ := strings.Cut(d.Data, "\r\n\r\n")
	return header + "\r\n"
}

// Body is everything after the empty line.
func (d *Delivery) Body() string {
	_, body, _ := strings.Cut(d.Data, "\r\n\r\n")
	return body
}

// Fields are the values of all header fields of that name, unfolded.
func (d *Delivery) Fields(name string) []string {
	var values []string
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(d.Header(), "\r\n ", " "), "\r\n\t", " "), "\r\n") {
		if field, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(field, name) {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

// Sink is a mail server that offers DSN (RFC 3461) and keeps everything, except
// for recipients whose local part begins with RefusedLocalPart: those it knows
// not (550 5.1.1).
type Sink struct {
	listener net.Listener
	domain   string

	mu        sync.Mutex
	arrived   *sync.Cond
	unclaimed []*Delivery
}

// ListenSink starts a sink at an address. domain completes recipients that come
// as a bare local part: so Sendmail hands over local mail.
func ListenSink(address netip.AddrPort, domain string) (*Sink, error) {
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		return nil, err
	}
	s := &Sink{listener: listener, domain: domain}
	s.arrived = sync.NewCond(&s.mu)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s, nil
}

// Close stops the sink from taking more connections.
func (s *Sink) Close() { _ = s.listener.Close() }

// Claim takes the oldest delivery that contains a text out of the sink, and
// waits for it if there is none yet.
func (s *Sink) Claim(text string, wait time.Duration) (*Delivery, error) {
	timeout := errors.New("nothing arrived")
	expired := false
	timer := time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		expired = true
		s.arrived.Broadcast()
	})
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		i := slices.IndexFunc(s.unclaimed, func(d *Delivery) bool { return strings.Contains(d.Data, text) })
		if i >= 0 {
			found := s.unclaimed[i]
			s.unclaimed = slices.Delete(s.unclaimed, i, i+1)
			return found, nil
		}
		if expired {
			return nil, fmt.Errorf("%w with %q in %v", timeout, text, wait)
		}
		s.arrived.Wait()
	}
}

// Unclaimed empties the sink.
func (s *Sink) Unclaimed() []*Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.unclaimed
	s.unclaimed = nil
	return rest
}

func (s *Sink) keep(d *Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unclaimed = append(s.unclaimed, d)
	s.arrived.Broadcast()
}

// transaction is the envelope that a connection has built up so far.
type transaction struct {
	from *Path
	to   []Path
}

func (s *Sink) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	say := func(line string) bool {
		_, err := io.WriteString(conn, line+"\r\n")
		return err == nil
	}
	if !say("220 sink.example.net ESMTP") {
		return
	}
	var tx transaction
	for {
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		answer := tx.command(strings.TrimRight(line, "\r\n"))
		if !say(answer) || strings.HasPrefix(answer, "221") {
			return
		}
		if !strings.HasPrefix(answer, "354") {
			continue
		}
		data, err := readData(reader)
		if err != nil {
			return
		}
		for i, to := range tx.to {
			if !strings.Contains(to.Address, "@") {
				tx.to[i].Address = to.Address + "@" + s.domain
			}
		}
		s.keep(&Delivery{From: *tx.from, To: tx.to, Data: data})
		tx = transaction{}
		if !say("250 2.0.0 kept") {
			return
		}
	}
}

func (tx *transaction) command(line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		*tx = transaction{}
		return "250-sink.example.net\r\n250-DSN\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE"
	case "HELO", "RSET":
		*tx = transaction{}
		return "250 2.0.0 ok"
	case "MAIL":
		from, err := parsePath(rest, "FROM:")
		if err != nil {
			return "501 5.5.4 " + err.Error()
		}
		*tx = transaction{from: &from}
		return "250 2.1.0 ok"
	case "RCPT":
		return tx.recipient(rest)
	case "DATA":
		if len(tx.to) == 0 {
			return "503 5.5.1 no recipient"
		}
		return "354 go ahead"
	case "NOOP":
		return "250 2.0.0 ok"
	case "QUIT":
		return "221 2.0.0 bye"
	}
	return "500 5.5.1 unknown command"
}

func (tx *transaction) recipient(rest string) string {
	to, err := parsePath(rest, "TO:")
	switch {
	case err != nil:
		return "501 5.5.4 " + err.Error()
	case tx.from == nil:
		return "503 5.5.1 no sender"
	case strings.HasPrefix(to.Address, RefusedLocalPart):
		return "550 5.1.1 no such user"
	}
	tx.to = append(tx.to, to)
	return "250 2.1.5 ok"
}

// parsePath reads "FROM:<address> NAME=value ...".
func parsePath(s, keyword string) (Path, error) {
	if len(s) < len(keyword) || !strings.EqualFold(s[:len(keyword)], keyword) {
		return Path{}, fmt.Errorf("no %s", keyword)
	}
	s = strings.TrimSpace(s[len(keyword):])
	end := strings.LastIndexByte(s, '>')
	if !strings.HasPrefix(s, "<") || end < 0 {
		return Path{}, errors.New("no angle brackets")
	}
	path := Path{Address: s[1:end], Parameters: map[string]string{}}
	for _, parameter := range strings.Fields(s[end+1:]) {
		name, value, _ := strings.Cut(parameter, "=")
		path.Parameters[strings.ToUpper(name)] = value
	}
	return path, nil
}

// readData reads up to the line with a single dot (RFC 5321, 4.5.2).
func readData(reader *bufio.Reader) (string, error) {
	var data strings.Builder
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == ".\r\n" {
			return data.String(), nil
		}
		data.WriteString(strings.TrimPrefix(line, "."))
	}
}
