package smtp

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// replyTimeout is longer than any time-out that the servers have for a milter.
const replyTimeout = 20 * time.Second

// Transcript records what several clients and their server said to each other.
type Transcript struct {
	mu    sync.Mutex
	text  strings.Builder
	count int
}

func (t *Transcript) add(client int, direction, line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.text, "%d%s %s\n", client, direction, line)
}

func (t *Transcript) next() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	return t.count
}

func (t *Transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// Reply is what a server answered: "250 2.1.0 Ok", its lines joined by a line
// feed, or the error of the connection, which is never three digits.
type Reply string

// Is reports whether the reply begins with the given codes: "250", "550 5.7.1".
func (r Reply) Is(codes string) bool {
	return r == Reply(codes) || strings.HasPrefix(string(r), codes+" ") || strings.HasPrefix(string(r), codes+"-")
}

// Client is one SMTP connection.
type Client struct {
	conn       net.Conn
	reader     *bufio.Reader
	transcript *Transcript
	number     int
}

// Dial connects to a server from an address of this machine and waits for the
// greeting.
func Dial(from, server string, transcript *Transcript) (*Client, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", server)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, reader: bufio.NewReader(conn), transcript: transcript, number: transcript.next()}
	transcript.add(c.number, "=", fmt.Sprintf("%s -> %s", conn.LocalAddr(), server))
	if greeting := c.read(); !greeting.Is("220") {
		_ = conn.Close()
		return nil, fmt.Errorf("greeting: %q", greeting)
	}
	return c, nil
}

// Do sends one command line and returns the reply to it.
func (c *Client) Do(format string, args ...any) Reply {
	line := fmt.Sprintf(format, args...)
	c.transcript.add(c.number, ">", line)
	if err := c.write(line + "\r\n"); err != nil {
		return Reply(err.Error())
	}
	return c.read()
}

// Hello introduces the client; the reply lists what the server can do.
func (c *Client) Hello() Reply { return c.Do("EHLO client.example.net") }

// AuthPlain logs in (RFC 4616).
func (c *Client) AuthPlain(user, password string) Reply {
	return c.Do("AUTH PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)))
}

// Mail begins a transaction. parameters: "RET=HDRS", "ENVID=x".
func (c *Client) Mail(from string, parameters ...string) Reply {
	return c.Do("%s", strings.Join(append([]string{"MAIL FROM:<" + from + ">"}, parameters...), " "))
}

// Rcpt adds a recipient.
func (c *Client) Rcpt(to string, parameters ...string) Reply {
	return c.Do("%s", strings.Join(append([]string{"RCPT TO:<" + to + ">"}, parameters...), " "))
}

// Data sends a message with CRLF line ends; the reply is that to the message,
// or that to DATA if it is not 354.
func (c *Client) Data(message string) Reply {
	if reply := c.Do("DATA"); !reply.Is("354") {
		return reply
	}
	return c.Content(message)
}

// Content sends the message itself, after a DATA that was answered 354.
func (c *Client) Content(message string) Reply {
	c.transcript.add(c.number, ">", fmt.Sprintf("(%d octets) .", len(message)))
	stuffed := strings.ReplaceAll("\r\n"+message, "\r\n.", "\r\n..")[2:]
	if err := c.write(stuffed + ".\r\n"); err != nil {
		return Reply(err.Error())
	}
	return c.read()
}

// Close says QUIT, if the connection still works, and closes it.
func (c *Client) Close() {
	c.Do("QUIT")
	_ = c.conn.Close()
}

func (c *Client) write(s string) error {
	if err := c.conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	_, err := c.conn.Write([]byte(s))
	return err
}

func (c *Client) read() Reply {
	if err := c.conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return Reply(err.Error())
	}
	var lines []string
	for {
		line, err := c.reader.ReadString('\n')
		if err != nil {
			c.transcript.add(c.number, "<", err.Error())
			return Reply(err.Error())
		}
		line = strings.TrimRight(line, "\r\n")
		c.transcript.add(c.number, "<", line)
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return Reply(strings.Join(lines, "\n"))
		}
	}
}
