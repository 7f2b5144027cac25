package milter

import (
	"runtime/debug"

	"github.com/d--j/go-milter"
)

// rescuer is what go-milter calls. It answers every event itself where the
// library's no-op would ask the MTA to skip what follows, and it survives a
// panic of a callback: the message then goes on as the reason "error" says.
type rescuer struct {
	session *session
}

// rescue is deferred by every callback.
func (r *rescuer) rescue(stage string, answer **milter.Response) {
	v := recover()
	if v == nil {
		return
	}
	r.session.server.observer.Panicked(stage, v, debug.Stack())
	response := r.session.fail(stage)
	if answer != nil {
		*answer = response
	}
}

func (r *rescuer) NewConnection(milter.Modifier) (_ error) {
	defer r.rescue("new-connection", nil)
	r.session.newConnection()
	return nil
}

func (r *rescuer) Connect(host, family string, port uint16, addr string, m milter.Modifier) (answer *milter.Response, _ error) {
	answer = milter.RespContinue
	defer r.rescue("connect", nil)
	r.session.connect(host, family, port, addr, m)
	return answer, nil
}

// Helo is negotiated away; an old MTA sends it all the same.
func (r *rescuer) Helo(string, milter.Modifier) (*milter.Response, error) {
	return milter.RespContinue, nil
}

func (r *rescuer) MailFrom(from, _ string, m milter.Modifier) (answer *milter.Response, _ error) {
	answer = milter.RespContinue
	defer r.rescue("mail", nil)
	r.session.mailFrom(from, m)
	return answer, nil
}

func (r *rescuer) RcptTo(to, args string, m milter.Modifier) (answer *milter.Response, _ error) {
	defer r.rescue("rcpt", &answer)
	return r.session.rcptTo(to, args, m), nil
}

func (r *rescuer) Data(m milter.Modifier) (answer *milter.Response, _ error) {
	defer r.rescue("data", &answer)
	return r.session.data(m), nil
}

func (r *rescuer) Header(name, value string, _ milter.Modifier) (answer *milter.Response, _ error) {
	answer = milter.RespContinue
	defer r.rescue("header", nil)
	r.session.header(name, value)
	return answer, nil
}

func (r *rescuer) Headers(m milter.Modifier) (answer *milter.Response, _ error) {
	defer r.rescue("eoh", &answer)
	return skipping(r.session.endOfHeaders(m), m), nil
}

func (r *rescuer) BodyChunk(chunk []byte, m milter.Modifier) (answer *milter.Response, _ error) {
	defer r.rescue("body", &answer)
	return skipping(r.session.body(chunk), m), nil
}

// skipping is the answer, but for Skip where the MTA has not offered it.
func skipping(answer *milter.Response, m milter.Modifier) *milter.Response {
	if answer == milter.RespSkip && m.Protocol()&milter.OptSkip == 0 {
		return milter.RespContinue
	}
	return answer
}

func (r *rescuer) EndOfMessage(m milter.Modifier) (answer *milter.Response, _ error) {
	defer r.rescue("eom", &answer)
	return r.session.endOfMessage(m), nil
}

func (r *rescuer) Abort(milter.Modifier) (_ error) {
	defer r.rescue("abort", nil)
	r.session.leave()
	return nil
}

// Unknown is negotiated away; an old MTA sends it all the same.
func (r *rescuer) Unknown(string, milter.Modifier) (*milter.Response, error) {
	return milter.RespContinue, nil
}

func (r *rescuer) Cleanup(milter.Modifier) {
	defer r.rescue("cleanup", nil)
	r.session.leave()
}
