package milter

import (
	"net/netip"

	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// Observer is told what the server does. Its methods are called in the reply
// path and from many goroutines: they must be quick and must not wait.
type Observer interface {
	Verdict(policy.Record)                          // a recipient or a message was judged
	Classified(class string)                        // what a message that may be a notification was found to be
	Accepted(recipient string)                      // one that an untrusted client brought and the MTA took
	Sent(policy.Sent)                               // a message of a trusted client went out
	TagRefused(recipient string)                    // the MTA does not know a recipient with a genuine tag
	Callout(client netip.Addr)                      // a null sender's recipient was accepted, and no message came
	Outscatter(recipient string)                    // our own MTA reports a failed delivery to somebody elsewhere
	Connections(change int)                         // opened (+1), closed (-1)
	Rejected(why string)                            // the guard cut off a peer or had to wait
	Panicked(stage string, value any, stack []byte) // a callback failed; the transaction went on
	Failed(what string, err error)                  // an operation failed without harm to a message
}
