package policy

import (
	"strconv"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// Reply is what the client is told: plain ASCII, what is wrong and what to do,
// nothing of what goes on inside. Text begins with the enhanced status code of
// RFC 3463.
type Reply struct {
	Code int
	Text string
}

// String gives the reply as the client sees it.
func (r Reply) String() string { return strconv.Itoa(r.Code) + " " + r.Text }

// texts are the words for every reason that can refuse. The first is for a
// permanent, the second for a temporary refusal.
var texts = map[Reason][2]string{
	TagForged: {
		"This bounce is for a message we did not send: the signature in the recipient address is wrong",
		"The signature in the recipient address could not be verified, please try again later",
	},
	ManyRecipients: {
		"Please send a bounce to one recipient at a time",
		"Please send this recipient in a transaction of its own",
	},
	Flood: {
		"Too many bounces come to us for messages we did not send, so that this one is not accepted without proof",
		"Too many bounces come to us at the moment, please try again later",
	},
	OriginForeign: {
		"This is about a message that we did not send",
		"This could not be matched to a message that we sent, please try again later",
	},
	Challenge: {
		"We did not send the message that you ask to be confirmed",
		"The message that you ask to be confirmed could not be matched to one that we sent, please try again later",
	},
	VirusNotice: {
		"We did not send the message that this notice is about",
		"This notice could not be matched to a message that we sent, please try again later",
	},
	Listed: {
		"This host is on a list of hosts that send bounces to forged senders, and nothing shows that we sent the message this is about",
		"This host is on a list of hosts that send bounces to forged senders, please try again later",
	},
	TagMissing: {
		"This bounce is for a message we did not send",
		"This bounce could not be matched to a message we sent, please try again later",
	},
}

var otherTexts = [2]string{
	"This message is not accepted here",
	"This message is not accepted at the moment, please try again later",
}

// ReplyTo gives the reply for a refusal; explainURL, if any, is shown with
// "{reason}" replaced.
func ReplyTo(reason Reason, action config.Action, explainURL string) Reply {
	words, ok := texts[reason]
	if !ok {
		words = otherTexts
	}
	r := Reply{550, "5.7.1 " + words[0]}
	switch {
	case action == config.ActionTempfail && reason == ManyRecipients:
		r = Reply{452, "4.5.3 " + words[1]}
	case action == config.ActionTempfail:
		r = Reply{451, "4.7.1 " + words[1]}
	}
	if explainURL != "" {
		r.Text += ", see " + strings.ReplaceAll(explainURL, "{reason}", string(reason))
	} else {
		r.Text += "."
	}
	return r
}
