package main

import (
	"bufio"
	"io"
	"net"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

// cmdMTA starts an SMTP server of a kind on a free port, until the script ends,
// and puts the port into $MTA: mta KIND.
func cmdMTA(ts *testscript.TestScript, _ bool, args []string) {
	answer, known := map[string]func(line string) string{
		"good":    answerRcpt(func(to string) bool { return strings.HasSuffix(to, "=alice@example.com") || to == "alice@example.com" }),
		"refuses": answerRcpt(func(to string) bool { return to == "alice@example.com" }),
		"liar":    answerRcpt(func(string) bool { return true }),
		"554":     func(string) string { return "554 5.3.2 no mail here" },
		"ssh":     func(string) string { return "SSH-2.0-OpenSSH_9.2" },
		"endless": func(string) string { return strings.Repeat("220-and so on\r\n", 1000) + "220-" },
		"hangs":   func(string) string { return "" },
	}[args[0]]
	if !known {
		ts.Fatalf("no mta of kind %q", args[0])
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv("MTA", port)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveSMTP(conn, answer)
		}
	}()
}

// serveSMTP answers each line, "" being the greeting. An empty answer is none.
func serveSMTP(conn net.Conn, answer func(line string) string) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	for line := ""; ; line = in.Text() {
		if reply := answer(line); reply != "" {
			if _, err := io.WriteString(conn, reply+"\r\n"); err != nil {
				return
			}
		}
		if !in.Scan() {
			return
		}
	}
}

func answerRcpt(knows func(to string) bool) func(string) string {
	return func(line string) string {
		to, rcpt := strings.CutPrefix(line, "RCPT TO:<")
		switch {
		case line == "":
			return "220 mx.example.com ESMTP"
		case rcpt && !knows(strings.TrimSuffix(to, ">")):
			return "550 5.1.1 User unknown"
		}
		return "250 2.0.0 ok"
	}
}

// cmdUnknown brings a bounce to a recipient that the MTA itself refuses as an
// unknown user; the address stands in a file: unknown PORT FILE.
func cmdUnknown(ts *testscript.TestScript, _ bool, args []string) {
	address := strings.TrimSpace(ts.ReadFile(args[1]))
	tx := mtatest.SampleBounce(address, address)
	tx.Rcpts = []mtatest.Rcpt{{Addr: address, Mailer: "error", Unknown: true}}
	tx.Macros = map[string]string{"{rcpt_mailer}": "error", "{rcpt_host}": "5.1.1"}
	playTo(ts, args[0], tx)
}
