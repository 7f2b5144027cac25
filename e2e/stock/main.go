// Command stock is the yardstick of the load run: a milter that does nothing, built on go-milter as it comes, with the
// answers of its NoOpMilter. It can be told to refuse bounces to one recipient, so that a refusal is compared with a
// refusal.
//
// Headers and body are negotiated away, the cheapest that a milter can be that still hears of every transaction. With
// -lean so is all else that a milter can do without when it decides at RCPT and at the end of headers: HELO, unknown
// commands, DATA, and the answers to CONNECT and MAIL.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/d--j/go-milter"
)

func main() {
	var listen addresses
	flag.Var(&listen, "listen", "`address` to listen on, inet:HOST:PORT or unix:PATH; can be given again")
	refuse := flag.String("refuse", "", "refuse bounces to this `address` with 550")
	lean := flag.Bool("lean", false, "negotiate away whatever can be done without")
	flag.Parse()
	if err := run(listen, *refuse, *lean); err != nil {
		fmt.Fprintln(os.Stderr, "stock: error:", err)
		os.Exit(1)
	}
}

// addresses is a flag that can be given several times.
type addresses []string

func (a *addresses) String() string     { return strings.Join(*a, " ") }
func (a *addresses) Set(s string) error { *a = append(*a, s); return nil }

func run(listen []string, refuse string, lean bool) error {
	if len(listen) == 0 {
		return errors.New("-listen is missing")
	}
	no, err := milter.RejectWithCodeAndReason(550, "5.7.1 This bounce is for a message we did not send.")
	if err != nil {
		return err
	}
	protocol := milter.OptNoHeaders | milter.OptNoBody
	if lean {
		protocol |= milter.OptNoHelo | milter.OptNoUnknown | milter.OptNoData | milter.OptNoConnReply | milter.OptNoMailReply
	}
	srv := milter.NewServer(
		milter.WithProtocol(protocol),
		milter.WithMilter(func() milter.Milter { return &noOp{refuse: refuse, no: no} }),
	)
	failed := make(chan error)
	for _, a := range listen {
		l, err := open(a)
		if err != nil {
			return err
		}
		go func() { failed <- srv.Serve(l) }()
	}
	return <-failed
}

func open(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return net.Listen("unix", path)
	}
	if hostPort, ok := strings.CutPrefix(address, "inet:"); ok {
		return net.Listen("tcp", hostPort)
	}
	return nil, fmt.Errorf("-listen: %q: want inet:HOST:PORT or unix:PATH", address)
}

// noOp answers as NoOpMilter does, but to a bounce to one recipient.
type noOp struct {
	milter.NoOpMilter
	refuse string
	no     *milter.Response
	bounce bool
}

// MailFrom notes the null sender.
func (n *noOp) MailFrom(from, esmtpArgs string, m milter.Modifier) (*milter.Response, error) {
	n.bounce = from == ""
	return n.NoOpMilter.MailFrom(from, esmtpArgs, m)
}

// RcptTo refuses the one recipient.
func (n *noOp) RcptTo(rcptTo, esmtpArgs string, m milter.Modifier) (*milter.Response, error) {
	if n.bounce && rcptTo == n.refuse {
		return n.no, nil
	}
	return n.NoOpMilter.RcptTo(rcptTo, esmtpArgs, m)
}
