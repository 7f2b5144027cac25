package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/internal/mtatest"
)

func newDemoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show what becomes of some messages, without an MTA",
		Long: "Play some messages at a milter that runs in memory for as long as this takes, and\n" +
			"print what becomes of each and why. Nothing is sent, nothing is read from\n" +
			"configuration or keys of this host, and no file is written.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return demonstrate(cmd.OutOrStdout()) },
	}
}

// Who appears in the demonstration.
const (
	demoDomain   = "example.com"
	demoAlice    = "alice@" + demoDomain
	demoBob      = "bob@" + demoDomain
	demoStranger = "carol@example.net"
)

const demoPreface = `A milter with the default configuration runs in memory, and an MTA in miniature shows it some mail. ` +
	`It has learned that example.com is ours, because users there get mail from outside and send mail. ` +
	`It has seen that the MTA takes bounces to signed addresses. Its clock says 21 November 2026.`

const demoEnd = "To see it do so with your own mail: backscatter-milter setup postfix, or setup sendmail."

// scene is one message and what there is to say of it.
type scene struct {
	title string
	play  func(*demo) error
	moral string
}

func scenes() []scene {
	return []scene{
		{
			"Alice writes to Carol, who is elsewhere", (*demo).letter,
			"The reverse-path is signed: key, last day, signature. Carol sees nothing of it, but a bounce goes to that address, and nobody else can make one.",
		},
		{
			"Carol's mailbox is gone, and the letter comes back", (*demo).bounceHome,
			"The tag proves that this site sent the original. It is taken off again, so that Alice gets her bounce, which says in its header why. Such a message is never refused.",
		},
		{
			"Somebody makes up a tag", (*demo).forgedTag,
			"The signature is wrong, and tags of this key have been seen to come home: this is no accident. It is refused before any data is sent.",
		},
		{
			"A bounce without a tag, on the first day", (*demo).untagged,
			"Most likely a spammer has used Alice's address. But a letter from before the milter was there would bounce just so: for now the message is delivered, and marked.",
		},
		{
			"The same, eleven days of signing later", (*demo).untaggedLater,
			"All mail of example.com has been signed for longer than a tag lives. By its own record the milter has become strict: what bounces without a tag was not sent here.",
		},
		{
			"A bounce to two users, one with a tag and one without", (*demo).twoFates,
			"One message can have one fate only. The second recipient is put off, for the sender to bring in a message of its own, which is then judged by itself: Alice loses nothing, and Bob is not bothered.",
		},
		{
			"Carol writes to Alice", (*demo).ordinary,
			"Ordinary mail is let go at the end of its header, and nothing in it is changed. The milter does not even ask for its body.",
		},
		{
			"A program answers to the signed address", (*demo).ordinaryToTag,
			"Some programs write to the reverse-path. That is ordinary mail, too: it reaches Alice at her plain address, whatever the tag is worth.",
		},
		{
			"Another site asks whether Alice's address takes bounces", (*demo).callout,
			"Sites that call back before they take Alice's mail ask for her plain address and hear yes. Nothing has been sent, so there is nothing to judge.",
		},
	}
}

// demonstrate plays all scenes and writes of each what happened and why.
func demonstrate(out io.Writer) error {
	d, err := newDemo()
	if err != nil {
		return err
	}
	d.page.paragraph("", demoPreface)
	for i, s := range scenes() {
		d.page.line("")
		d.page.line(fmt.Sprintf("%2d. %s", i+1, s.title))
		if err := s.play(d); err != nil {
			return errors.Join(fmt.Errorf("scene %d: %w", i+1, err), d.close())
		}
		d.page.line("")
		d.page.paragraph("    ", s.moral)
	}
	if err := d.close(); err != nil {
		return err
	}
	d.page.line("")
	d.page.paragraph("", demoEnd)
	_, err = io.WriteString(out, d.page.String())
	return err
}

func (d *demo) letter() error {
	tx := mtatest.SampleOutbound(demoAlice, demoStranger)
	tx.Auth = "alice"
	r, err := d.show(tx)
	if err == nil {
		d.signed = r.Apply(tx).From
	}
	return err
}

func (d *demo) bounceHome() error {
	_, err := d.show(mtatest.SampleBounce(d.signed, d.signed))
	return err
}

func (d *demo) forgedTag() error {
	const tag = len("prvs=KDDD") // the signature begins after it
	if len(d.signed) < tag+6 {
		return fmt.Errorf("no tag in %q", d.signed)
	}
	forged := d.signed[:tag] + "c0ffee" + d.signed[tag+6:]
	_, err := d.show(mtatest.SampleBounce(forged, forged))
	return err
}

func (d *demo) untagged() error {
	_, err := d.show(mtatest.SampleBounce(demoAlice, demoAlice))
	return err
}

func (d *demo) untaggedLater() error {
	d.live(11)
	return d.untagged()
}

func (d *demo) twoFates() error {
	tagged, err := d.sign(demoAlice)
	if err != nil {
		return err
	}
	tx := mtatest.SampleBounce(tagged, tagged)
	tx.Rcpts = mtatest.To(tagged, demoBob)
	if _, err := d.show(tx); err != nil {
		return err
	}
	d.page.line("")
	_, err = d.show(mtatest.SampleBounce(demoBob, demoBob))
	return err
}

func (d *demo) ordinary() error {
	_, err := d.show(mtatest.SampleOrdinary(demoStranger, demoAlice))
	return err
}

func (d *demo) ordinaryToTag() error {
	tagged, err := d.sign(demoAlice)
	if err != nil {
		return err
	}
	_, err = d.show(mtatest.SampleOrdinary("robot@example.org", tagged))
	return err
}

// callout asks for a recipient with the null sender and leaves.
func (d *demo) callout() error {
	c, err := d.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Connect("mx.example.org", mtatest.FamilyInet, 40000, "192.0.2.44"); err != nil {
		return err
	}
	if _, err := c.Mail("", nil); err != nil {
		return err
	}
	r, err := c.Rcpt(demoAlice, nil)
	if err != nil {
		return err
	}
	d.page.field("from", "<>, client 192.0.2.44")
	d.page.field("to", fmt.Sprintf("<%s>: %s", demoAlice, recipientAnswer(r)))
	d.page.field("message", "none, the client leaves")
	d.verdicts()
	return c.Quit()
}

// show plays a message and writes what became of it.
func (d *demo) show(tx mtatest.Transaction) (mtatest.Result, error) {
	c, err := d.connect()
	if err != nil {
		return mtatest.Result{}, err
	}
	defer c.Close()
	r, err := c.Run(tx)
	if err == nil {
		err = c.Quit()
	}
	if err != nil {
		return r, err
	}
	who := "client " + tx.Client
	if tx.Auth != "" {
		who = "logged in as " + tx.Auth
	}
	d.page.field("from", fmt.Sprintf("<%s>, %s", tx.From, who))
	for i, rc := range tx.Rcpts {
		d.page.field("to", fmt.Sprintf("<%s>: %s", rc.Addr, recipientAnswer(r.Rcpts[i])))
	}
	if r.Stage != mtatest.StageRcpt {
		d.page.field("message", messageAnswer(r))
	}
	for _, m := range r.Mods {
		d.page.field("change", change(m))
	}
	d.verdicts()
	return r, nil
}

func recipientAnswer(r mtatest.Reply) string {
	if r.Refuses() {
		return r.String()
	}
	return "taken"
}

func messageAnswer(r mtatest.Result) string {
	switch {
	case r.Accepted() && r.Stage == mtatest.StageEOH:
		return "taken, at the end of its header"
	case r.Accepted():
		return "taken, at its end"
	}
	return r.Reply.String()
}

// change says a change to a message in plain words.
func change(m mtatest.Mod) string {
	switch m.Kind {
	case mtatest.ChangeFrom:
		return fmt.Sprintf("sender is now <%s>", m.Value)
	case mtatest.AddRcpt, mtatest.AddRcptPar:
		return fmt.Sprintf("recipient added: <%s>", m.Value)
	case mtatest.DelRcpt:
		return fmt.Sprintf("recipient removed: <%s>", m.Value)
	case mtatest.InsertHeader:
		return fmt.Sprintf("header added: %s: %s", m.Name, strings.TrimSpace(m.Value))
	}
	return fmt.Sprintf("%v %s %s", m.Kind, m.Name, m.Value)
}
