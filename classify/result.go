package classify

// Class says what a message is.
type Class string

// The classes. Their names are stable.
const (
	DSN         Class = "dsn"          // a delivery report by RFC 3464 or 6533
	Bounce      Class = "bounce"       // a notice of non-delivery in a form of its own
	AutoReply   Class = "auto-reply"   // vacation, out of office, "we have received your message"
	Challenge   Class = "challenge"    // "prove that you are human to be delivered"
	Receipt     Class = "receipt"      // read or not read, by RFC 8098 or older customs
	Report      Class = "report"       // DMARC, ARF (RFC 5965), TLS-RPT (RFC 8460)
	Calendar    Class = "calendar"     // an answer to an invitation (RFC 5546)
	VirusNotice Class = "virus-notice" // "you sent a virus", "your attachment was blocked"
	List        Class = "list"         // mailing lists and bulk mail
	Ordinary    Class = "ordinary"     // everything else
)

// IsNotification reports whether mail of class c is about another message.
func (c Class) IsNotification() bool {
	return c != List && c != Ordinary && c != ""
}

// Action is what became of the original, in the words of RFC 3464, section 2.3.3.
type Action string

// The actions. Notices that are not DSNs are given Failed or Delayed.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed"
	Expanded  Action = "expanded"
)

// Extent is how much of the original a notification brought back.
type Extent string

// The extents.
const (
	Full    Extent = "full"    // header and body, or the beginning of a body
	Headers Extent = "headers" // the header
	Partial Extent = "partial" // some fields of it
	None    Extent = "none"    // nothing
)

// Where the original was found, for [Original].
const (
	InPart       = "part"       // a part that says it is a message or its header (RFC 3462, section 2)
	InAttachment = "attachment" // a part that says something else
	InText       = "text"       // in the text of the notice
	InQuote      = "quote"      // there, quoted or indented
)

// Original is what a notification says of the message it is about. Fields are
// decoded, but for MessageID, Received and DKIMSignatures.
type Original struct {
	Extent         Extent
	Where          string
	MessageID      string // with its angle brackets
	From           string
	To             string
	Date           string
	Subject        string
	ReturnPath     string   // without angle brackets
	Received       []string // newest first, unfolded
	DKIMSignatures []string // values, unfolded
	// HeaderBlock is the header that came back with its line endings, as
	// it stood there: transfer encodings and quoting are taken off, nothing
	// else is changed. It is shared with no one.
	HeaderBlock []byte
}

// Recipient is one whom the original did not reach, or did.
type Recipient struct {
	Final      string // address
	Original   string // address
	Action     Action
	Status     string // as in "5.1.1" (RFC 3463)
	Diagnostic string // "550 5.1.1 ...", without the type
}

// Evidence is one thing that spoke for a class.
type Evidence struct {
	Signal string // as in "null-sender", "subject", "text", "structure"
	Value  string // what was seen: at most 200 bytes, UTF-8
}

// Result is all that is known of a message.
type Result struct {
	Class              Class
	Action             Action // empty unless Class is DSN or Bounce
	Original           Original
	Recipients         []Recipient
	ReportingMTA       string   // name, without its type
	InReplyTo          []string // message-ids of the notification's own header, with angle brackets
	References         []string
	OriginalMessageIDs []string // message-ids that reports name in fields of theirs
	Evidence           []Evidence
}

// Hint is what the header alone tells.
type Hint int

const (
	// CannotBe means: list or ordinary, whatever the body holds.
	CannotBe Hint = iota
	// Maybe means: the body decides.
	Maybe
)
