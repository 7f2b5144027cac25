package milter

import (
	"net/netip"
	"strings"

	"github.com/d--j/go-milter"

	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// session answers one connection of the MTA. It serves many messages, and
// after QUIT_NC many clients: reset leaves nothing of the one before. One
// method a stage; every method that go-milter calls runs under rescue.
type session struct {
	client policy.Client
	transaction
}

func (s *Server) newSession(uint32, milter.OptAction, milter.OptProtocol, milter.DataSize) milter.Milter {
	return &rescuer{session: &session{transaction: transaction{server: s}}}
}

// newConnection begins with a new client on the same connection.
func (s *session) newConnection() {
	s.leave()
	s.client = policy.Client{}
}

// leave ends a transaction. One that ends before any content, though a recipient
// was accepted, was a callout: another site that asks whether a sender exists.
func (s *session) leave() {
	if s.message.Kind == policy.InboundNull && len(s.recipients) > 0 && !s.content {
		s.server.observer.Callout(s.client.Addr)
	}
	s.reset()
}

// connect notes who the MTA's client is. The address in the event counts;
// where it has none, {client_addr} may. What comes from a unix socket, from a
// process without address or from port 0 of this machine has not come by SMTP:
// so Postfix shows sendmail(1) and its own notifications.
func (s *session) connect(host, family string, port uint16, addr string, m milter.Modifier) {
	s.leave()
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		ip, err = netip.ParseAddr(strings.TrimPrefix(m.Get(milter.MacroClientAddr), "IPv6:"))
	}
	known := err == nil
	if known {
		ip = ip.Unmap()
	} else {
		ip = netip.Addr{}
	}
	s.client = policy.Client{
		Addr:   ip,
		Local:  family == "unix" || !known && host == "localhost" || ip.IsLoopback() && port == 0,
		Daemon: m.Get(milter.MacroDaemonName),
	}
}

// unknownUser is the status that an MTA shows of a recipient it does not know;
// it also shows those it refuses for other reasons.
const unknownUser = "5.1.1"

// mailFrom begins a transaction.
func (s *session) mailFrom(from string, m milter.Modifier) {
	s.leave()
	s.begin(policy.Envelope{Client: s.client, Auth: m.Get(milter.MacroAuthAuthen), Sender: from})
}

// rcptTo judges a recipient. A good one is answered with Continue: Accept
// would end the message there, unseen recipients and all.
func (s *session) rcptTo(to, args string, m milter.Modifier) *milter.Response {
	if refused(m) {
		if m.Get(milter.MacroRcptHost) == unknownUser {
			s.unknown(to)
		}
		return milter.RespContinue
	}
	return s.recipient(to, args, m.Get(milter.MacroRcptAddr), m.Get(milter.MacroQueueId))
}

// refused reports whether the MTA has itself refused the recipient that it
// shows: it names the mailer "error", and for the host there is a status code.
// Postfix resolves all recipients in a virtual alias domain to "error", those
// that it accepts by virtual_alias_maps included; for the host these have what
// would be said of them without the map, "5.1.1 User unknown in virtual alias
// table".
func refused(m milter.Modifier) bool {
	return m.Get(milter.MacroRcptMailer) == "error" && !strings.Contains(m.Get(milter.MacroRcptHost), " ")
}

// header counts the verdict headers that a message brings and shows the
// policy every field that may exempt it.
func (s *session) header(name, value string) {
	s.content = true
	if strings.EqualFold(name, policy.HeaderName) {
		s.brought++
	}
	s.message.Header(name, value)
	if s.classifies() {
		s.scanner.Header(name, value)
	}
}

// body shows the classifier as much as it wants to see.
func (s *session) body(chunk []byte) *milter.Response {
	if !s.classifies() || s.scanner.Full() {
		return milter.RespSkip
	}
	_, _ = s.scanner.Write(chunk) // never fails
	return milter.RespContinue
}

// endOfHeaders ends what needs no change. It answers Skip for a message whose
// body nobody will read, which the guard turns into what the MTA understands.
func (s *session) endOfHeaders(m milter.Modifier) *milter.Response {
	s.content = true
	s.message.EndOfHeaders()
	if to := s.message.Outscatter(); to != "" {
		s.server.observer.Outscatter(to)
	}
	if s.classifies() && s.scanner.EndOfHeaders() == classify.CannotBe {
		s.classified()
	}
	if r := s.refusal(policy.AtEOH, m); r != nil {
		s.count()
		return r
	}
	if s.untouched() {
		s.let(m)
		return milter.RespAccept
	}
	if !s.classifies() {
		return milter.RespSkip
	}
	return milter.RespContinue
}

// endOfMessage takes the verdict of the message and makes its changes.
func (s *session) endOfMessage(m milter.Modifier) *milter.Response {
	if s.classifies() {
		s.classified()
	}
	if r := s.refusal(policy.AtEOM, m); r != nil {
		s.count()
		return r
	}
	answer := s.deliver(m)
	s.count()
	return answer
}
