package config

import "slices"

// Policy maps reasons, as Reasons lists them, to actions.
type Policy map[string]Action

// reason is a row of the policy table as far as settings go.
type reason struct {
	name   string
	action Action // by default
}

// reasons returns the rows in the order in which they are judged.
func reasons() []reason {
	return []reason{
		{"exempt", ActionAccept},
		{"tag-valid", ActionAccept},
		{"tag-forged", ActionReject},
		{"never-sends", ActionReject},
		{"many-recipients", ActionTempfail},
		{"flood", ActionAuto},
		{"origin-proven", ActionAccept},
		{"receipt", ActionAccept},
		{"report", ActionAccept},
		{"calendar", ActionAccept},
		{"origin-foreign", ActionAuto},
		{"listed", ActionAuto},
		{"challenge", ActionAuto},
		{"virus-notice", ActionAuto},
		{"auto-reply", ActionMark},
		{"tag-missing", ActionAuto},
		{"unproven", ActionMark},
		{"error", ActionAccept},
	}
}

// Reasons returns the legal keys of [policy], in the order in which they are
// judged.
func Reasons() []string {
	var names []string
	for _, r := range reasons() {
		names = append(names, r.name)
	}
	return names
}

// DefaultAction returns the action of a reason that the file does not set, or
// "" for what is not a reason.
func DefaultAction(name string) Action {
	for _, r := range reasons() {
		if r.name == name {
			return r.action
		}
	}
	return ""
}

func policyKey[S any](reason reason, at func(*S) *Policy) key[S] {
	inForce := func(s *S) Action {
		if action, ok := (*at(s))[reason.name]; ok {
			return action
		}
		return reason.action
	}
	return key[S]{
		path:    "policy." + reason.name,
		allowed: either(actions()...),
		same:    func(a, b *S) bool { return inForce(a) == inForce(b) },
		read: func(r *reader, k key[S], n *node, s *S) {
			action, _ := n.plain().(string)
			if !slices.Contains(actions(), Action(action)) {
				r.ok(n, k.allowed, errAllowed)
				return
			}
			if *at(s) == nil {
				*at(s) = Policy{}
			}
			(*at(s))[reason.name] = Action(action)
		},
	}
}

func actions() []Action {
	return []Action{ActionAccept, ActionMark, ActionQuarantine, ActionReject, ActionTempfail, ActionDiscard, ActionAuto}
}
