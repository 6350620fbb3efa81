// Package failpoint names the places between two writes at which a server may
// die without doing harm. A server built with the tag failpoints ends there at
// once, as a crash does, when PARLEY_FAILPOINT names the place; tests try each.
// Built without the tag, as released, none of it exists.
package failpoint

// Point is such a place.
type Point string

// The places, in the order in which a turn comes by them.
const (
	BeforeBegin     Point = "before-begin"     // a turn is admitted, nothing is stored
	Begun           Point = "begun"            // its beginning is stored, nobody was told
	BeforeFlush     Point = "before-flush"     // pieces were seen by readers and are in no batch
	Flushed         Point = "flushed"          // a batch is stored, its owner has not taken note
	BeforeEnd       Point = "before-end"       // the model has answered in full, nothing of the end is stored
	Ended           Point = "ended"            // answer and settlement are stored, readers were not told
	Told            Point = "told"             // the end was published, other servers were not notified
	TakenOver       Point = "taken-over"       // turns of a dead server have a new owner and have not ended
	BeforeTakenEnd  Point = "before-taken-end" // a turn that was taken over has been read, and not ended
	BeforeKept      Point = "before-kept"      // a creation is stored with its Idempotency-Key and answer, not committed
	Kept            Point = "kept"             // it is committed and its answer was not sent
	EventDispatched Point = "event-dispatched" // an event has become deliveries, its job has not ended
	DeliverySent    Point = "delivery-sent"    // a webhook was called, that it was is not stored
	DeliveryNoted   Point = "delivery-noted"   // it is stored, the job has not ended
	ChatBegun       Point = "chat-begun"       // the turn of a chat's step has begun, that it has is not stored with the chat
	ChatAsked       Point = "chat-asked"       // it is stored, nobody waits for the answer
	ChatAnswered    Point = "chat-answered"    // the turn has ended, its answer is not stored with the chat
	ChatStored      Point = "chat-stored"      // it is stored, the next step has not begun
	ChatWished      Point = "chat-wished"      // an answer's calls of tools are stored, none is made
	ChatCalled      Point = "chat-called"      // a tool was called, what it came to is not stored
)

// All are the places, but for those of chats alone.
var All = []Point{BeforeBegin, Begun, BeforeFlush, Flushed, BeforeEnd, Ended, Told, TakenOver, BeforeTakenEnd,
	BeforeKept, Kept, EventDispatched, DeliverySent, DeliveryNoted}

// Chats are the places that a step of a chat comes by, with those of its turn.
var Chats = []Point{BeforeBegin, Begun, BeforeEnd, Ended, ChatBegun, ChatAsked, ChatAnswered, ChatStored, ChatWished, ChatCalled}
