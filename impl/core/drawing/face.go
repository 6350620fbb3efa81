package drawing

import (
	"image/color"
	"math"
)

// The face is an egg of these measures around the middle of the head.
const (
	faceW = 92
	faceH = 116
)

func (p person) mid() float64 { return p.top + faceH }

// head draws neck, ears and the face's shape.
func (s *sheet) head(p person) {
	y := p.mid()
	shade := darker(p.skin, 0.18)
	if s.words.any("elf", "goblin", "orc", "fairy") {
		for _, side := range []float64{-1, 1} {
			s.polygon(p.cx+side*80, y-22, p.cx+side*148, y-62, p.cx+side*84, y+26)
			s.inked(p.skin)
		}
	}
	for _, side := range []float64{-1, 1} {
		s.DrawEllipse(p.cx+side*94, y+6, 17, 25)
		s.inked(p.skin)
		s.DrawEllipse(p.cx+side*94, y+8, 7, 13)
		s.filled(shade)
	}
	s.egg(p.cx, y)
	s.inked(p.skin)
	s.Push()
	s.egg(p.cx, y)
	s.Clip()
	s.DrawEllipse(p.cx+70, y+40, 70, 120)
	s.filled(alpha(shade, 70))
	s.ResetClip()
	s.Pop()
}

func (s *sheet) egg(cx, y float64) {
	s.MoveTo(cx-faceW, y-18)
	s.CubicTo(cx-faceW, y-faceH-26, cx+faceW, y-faceH-26, cx+faceW, y-18)
	s.CubicTo(cx+faceW, y+70, cx+46, y+faceH, cx, y+faceH)
	s.CubicTo(cx-46, y+faceH, cx-faceW, y+70, cx-faceW, y-18)
	s.ClosePath()
}

func (s *sheet) face(p person) {
	y := p.mid()
	if p.beard {
		s.beard(p)
	}
	s.cheeks(p)
	for _, side := range []float64{-1, 1} {
		s.eye(p, p.cx+side*38, y, side)
	}
	s.MoveTo(p.cx-4, y+6)
	s.QuadraticTo(p.cx-20, y+40, p.cx+6, y+40)
	s.stroke(darker(p.skin, 0.55), 4)
	s.mouth(p, y+70)
	if p.age >= 58 {
		s.wrinkles(p)
	}
}

func (s *sheet) cheeks(p person) {
	blush := alpha(mix(p.skin, hex(0xe0566b), 0.55), 110)
	for _, side := range []float64{-1, 1} {
		s.DrawEllipse(p.cx+side*58, p.mid()+40, 19, 12)
		s.filled(blush)
	}
	if s.words.any("freckle", "freckled") {
		for _, side := range []float64{-1, 1} {
			for i := range 6 {
				s.DrawCircle(p.cx+side*(40+float64(i%3)*12), p.mid()+30+float64(i/3)*9, 2.4)
				s.filled(darker(p.skin, 0.35))
			}
		}
	}
}

func (s *sheet) eye(p person, x, y, side float64) {
	v := s.words
	white := hex(0xfffdf8)
	if v.any("robot", "android", "cyborg") {
		s.DrawRoundedRectangle(x-20, y-16, 40, 28, 8)
		s.inked(hex(0x20303f))
		s.DrawCircle(x, y-2, 8)
		s.filled(hex(0x62e6ff))
		return
	}
	s.DrawEllipse(x, y, 19, 14)
	s.lined(white, 3.5)
	s.DrawCircle(x, y+1, 9.5)
	s.filled(p.eyes)
	s.DrawCircle(x, y+1, 5)
	s.filled(ink)
	s.DrawCircle(x+3.5, y-3, 2.8)
	s.filled(white)
	tilt := 0.0
	switch {
	case v.any("angry", "stern", "fierce", "villain", "evil"):
		tilt = 11
	case v.any("sad", "worried", "melancholic", "shy"):
		tilt = -9
	}
	brow := darker(p.hair, 0.25)
	if p.style == "bald" {
		brow = darker(p.skin, 0.6)
	}
	s.MoveTo(x-side*22, y-27+tilt)
	s.QuadraticTo(x+side*2, y-40, x+side*25, y-27-tilt/2)
	s.stroke(brow, 7)
}

func (s *sheet) mouth(p person, y float64) {
	v := s.words
	lip := mix(p.skin, hex(0xa8323e), 0.62)
	switch {
	case v.any("laughing", "grinning", "happy", "cheerful", "joyful", "friendly"):
		s.MoveTo(p.cx-36, y-6)
		s.QuadraticTo(p.cx, y+44, p.cx+36, y-6)
		s.ClosePath()
		s.lined(hex(0xfffdf8), 3.5)
	case v.any("sad", "angry", "melancholic", "villain", "grumpy"):
		s.MoveTo(p.cx-26, y+9)
		s.QuadraticTo(p.cx, y-10, p.cx+26, y+9)
		s.stroke(darker(lip, 0.3), 6)
	case v.any("serious", "stern", "robot", "stoic", "calm"):
		s.DrawLine(p.cx-24, y+2, p.cx+24, y+2)
		s.stroke(darker(lip, 0.3), 6)
	default:
		lift := s.between(8, 20)
		s.MoveTo(p.cx-30, y-3)
		s.QuadraticTo(p.cx, y+lift+8, p.cx+30, y-3)
		s.stroke(darker(lip, 0.2), 6)
	}
	if p.moustache {
		s.MoveTo(p.cx, y-20)
		s.CubicTo(p.cx-18, y-28, p.cx-44, y-10, p.cx-58, y-18)
		s.CubicTo(p.cx-46, y+6, p.cx-14, y+2, p.cx, y-8)
		s.CubicTo(p.cx+14, y+2, p.cx+46, y+6, p.cx+58, y-18)
		s.CubicTo(p.cx+44, y-10, p.cx+18, y-28, p.cx, y-20)
		s.lined(p.hair, 3)
	}
}

func (s *sheet) beard(p person) {
	y, long := p.mid(), 18.0
	if s.words.any("wizard", "long") && p.age >= 60 || s.words.has("wizard") {
		long = 78
	}
	s.MoveTo(p.cx-faceW, y+4)
	s.CubicTo(p.cx-96, y+100, p.cx-54, y+faceH+long, p.cx, y+faceH+long+6)
	s.CubicTo(p.cx+54, y+faceH+long, p.cx+96, y+100, p.cx+faceW, y+4)
	s.CubicTo(p.cx+76, y+46, p.cx+48, y+46, p.cx, y+50)
	s.CubicTo(p.cx-48, y+46, p.cx-76, y+46, p.cx-faceW, y+4)
	s.ClosePath()
	s.inked(p.hair)
}

func (s *sheet) wrinkles(p person) {
	y, c := p.mid(), alpha(darker(p.skin, 0.5), 170)
	for i := range 2 {
		top := y - 62 + float64(i)*14
		s.MoveTo(p.cx-32, top)
		s.QuadraticTo(p.cx, top-6, p.cx+32, top)
		s.stroke(c, 2.5)
	}
	for _, side := range []float64{-1, 1} {
		s.MoveTo(p.cx+side*26, y+20)
		s.QuadraticTo(p.cx+side*42, y+27, p.cx+side*56, y+18)
		s.stroke(c, 2.5)
		s.MoveTo(p.cx+side*34, y+48)
		s.QuadraticTo(p.cx+side*46, y+60, p.cx+side*42, y+76)
		s.stroke(c, 2.5)
	}
}

// hairBehind is what hangs behind neck and shoulders.
func (s *sheet) hairBehind(p person) {
	y := p.mid()
	shade := darker(p.hair, 0.22)
	switch p.style {
	case "long":
		s.MoveTo(p.cx-112, y-30)
		s.CubicTo(p.cx-140, y+90, p.cx-150, y+170, p.cx-126, y+226)
		s.LineTo(p.cx+126, y+226)
		s.CubicTo(p.cx+150, y+170, p.cx+140, y+90, p.cx+112, y-30)
		s.CubicTo(p.cx+100, y-150, p.cx-100, y-150, p.cx-112, y-30)
		s.inked(shade)
	case "bob":
		s.DrawRoundedRectangle(p.cx-122, y-110, 244, 216, 84)
		s.inked(shade)
	case "curly":
		s.cloud(p.cx, y-34, 128, 13, shade)
	case "ponytail":
		s.MoveTo(p.cx+60, y-110)
		s.CubicTo(p.cx+220, y-120, p.cx+170, y+60, p.cx+196, y+150)
		s.CubicTo(p.cx+120, y+120, p.cx+130, y-20, p.cx+60, y-70)
		s.ClosePath()
		s.inked(shade)
	case "bun":
		s.DrawCircle(p.cx, p.top-44, 50)
		s.inked(shade)
	}
}

// cloud is a circle of puffs: curls, trees, smoke.
func (s *sheet) cloud(cx, cy, r float64, puffs int, c color.Color) {
	for pass := range 2 {
		for i := range puffs {
			at := 2 * math.Pi * float64(i) / float64(puffs)
			s.DrawCircle(cx+r*0.74*math.Cos(at), cy+r*0.74*math.Sin(at), r*0.36)
			if pass == 0 {
				s.stroke(ink, s.line*2)
			} else {
				s.filled(c)
			}
		}
	}
	s.DrawCircle(cx, cy, r*0.8)
	s.filled(c)
}

// hairInFront lies on the forehead.
func (s *sheet) hairInFront(p person) {
	y, cx := p.mid(), p.cx
	switch p.style {
	case "bald":
		s.MoveTo(cx-44, y-86)
		s.QuadraticTo(cx-30, y-100, cx-8, y-102)
		s.stroke(lighter(p.skin, 0.6), 6)
		return
	case "curly":
		for i := range 7 {
			at := math.Pi + math.Pi*float64(i)/6
			s.DrawCircle(cx+80*math.Cos(at), y-46+60*math.Sin(at), 30)
			s.lined(p.hair, 3)
		}
		return
	case "spiky":
		s.MoveTo(cx-100, y-22)
		for i := range 7 {
			x := cx - 100 + float64(i)*200/7
			s.LineTo(x+4, y-126-float64(i%2)*26-s.between(0, 14))
			s.LineTo(x+200/7, y-78)
		}
		s.LineTo(cx+100, y-22)
		s.CubicTo(cx+70, y-86, cx-70, y-86, cx-100, y-22)
		s.inked(p.hair)
		return
	}
	part := map[string]float64{"side": -44, "short": 30, "long": -8, "bob": 0, "bun": 0, "ponytail": 38}[p.style]
	low := map[string]float64{"short": -16, "side": -20, "bun": -20, "ponytail": -14, "long": 44, "bob": 52}[p.style]
	s.MoveTo(cx-102, y+low)
	s.CubicTo(cx-116, y-150, cx+116, y-150, cx+102, y+low)
	s.CubicTo(cx+96, y-40, cx+72, y-62, cx+part, y-86)
	s.CubicTo(cx-60, y-66, cx-92, y-44, cx-102, y+low)
	s.ClosePath()
	s.inked(p.hair)
	s.MoveTo(cx+part, y-110)
	s.QuadraticTo(cx+part+44, y-104, cx+76, y-70)
	s.stroke(alpha(lighter(p.hair, 0.35), 190), 5)
}
