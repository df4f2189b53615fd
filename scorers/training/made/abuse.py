"""Hate, abuse and threats, each beside innocent texts in the same frames and words.

Most frames take a hateful or a kindly claim and either assert or reject it, so that the label is
told by neither the claim's words nor the frame's.
"""

from __future__ import annotations

import random

from scorers.training.labelled_rows import LabelledRow
from scorers.training.made.claims import THINGS, claim, group, rules, said
from scorers.training.made.grammar import Grammar, drawn, lines, respelt

_ASSERT = lines("""
{s}.
{s}.
{s}
Let's be honest, {s}.
I don't care what anyone says: {s}.
Turns out {who} was right, {s}.
Everybody {here|at work|in my family} knows that {s}.
Why does nobody admit that {s}?
Is it only me, or is it obvious that {s}?
Sorry not sorry, but {s}.
Hot take: {s}
As {a nurse|a teacher|a bus driver|a mother of three|a veteran|an employer}, I can tell you that \
{s}.
I wish people would finally see that {s}.
Nobody should pretend otherwise: {s}.
It is simply true that {s}.
The news will never tell you, but {s}.
I used to think differently, but now I believe that {s}.
{who} taught me that {s}, and I agree.
Call me what you like. {s}.
You know it and I know it: {s}.
My whole life I have felt that {s}.
When will {this government|the left|the right|our mayor} understand that {s}?
The older I get, the clearer it is that {s}.
Fact: {s}.
{s}, and I'm proud to say it.
{s}, change my mind.
Wouldn't you agree that {s}?
Raise your hand if you also think {s}
Look around {the bus|the waiting room|the market} and tell me I'm wrong. {s}.
People get angry when I say it, yet {s}.
They will ban me for this, but {s}.
unpopular opinion but {s}
ok so can we agree that {s}
I say this with love: {s}.
No disrespect, but {s}.
After {ten years|two weeks|a summer} of living next to them I am sure that {s}.
He said it better than I could, and I stand by it: {s}.
I teach my children that {s}.
My message to {the council|the minister|this channel} is short: {s}.
What I learned today: {s}.
Never forget that {s}.
Vote for people who know that {s}.
{s}. {There, I said it|Period|Simple as that|Think about it|Enough said|Share if you agree}.
Maybe I'm old-fashioned, but {s}.
""")
_REJECT = lines("""
Nobody should ever {claim|say|believe|suggest} that {s}.
It is a {lie|myth|dangerous lie|fairy tale|total fabrication} that {s}.
I disagree with anyone who thinks that {s}.
People who say that {s} {are wrong|have no idea|are lying to you|need to think again}.
Stop {saying|teaching children|repeating|pretending} that {s}. It is not true.
"{s}", they say. {Rubbish|What nonsense|I could not disagree more|That is plain false}.
I reject the idea that {s}.
How can a grown man still believe that {s}? It is {so wrong|ridiculous|absurd}.
Only a fool would think that {s}.
If you believe that {s}, we {cannot be friends|have nothing to talk about}.
Don't let anyone {tell|persuade} you that {s}.
{who} told me that {s}. I {told them they were wrong|said that this is rubbish|do not believe it}.
I will never accept the claim that {s}.
No, it isn't true that {s}.
I'm tired of hearing that {s}. {No they don't|It is false|Not true at all}.
My teacher insisted that {s}, and it made me {sick|angry|furious}, because it is false.
Whoever wrote that {s} {got it all wrong|should be ashamed}.
Since when do we believe that {s}? We don't.
Nothing is further from the truth than the idea that {s}.
it's just not true that {s}
Teach your kids that it is wrong to think that {s}.
There is no world in which {s}.
""")
_REPORT = lines("""
A man was {fined|sacked|arrested} after writing online that {s}.
She was called a bigot for saying that {s}, and rightly so.
My son came home and said "{s}". How do I talk to him about prejudice?
What should I answer when {who} says at dinner that {s}?
I was shocked when {who} shouted that {s}. We must stand up to hate like that.
The film shows a soldier who is told that {s}, and how he learns otherwise.
In the 1930s posters claimed that {s}. Why did so many people believe the propaganda?
I reported a post that said "{s}".
Is it a crime in Germany to write publicly that {s}?
Every day strangers tell my friend that {s}. It hurts to watch.
Somebody sprayed "{s}" on our wall last night. The neighbours came to help us scrub it off.
The study looks at forums whose members write that {s}, and at ways to counter such hate.
To the person who told me that {s}: your hate will not win.
Explain why the sentence "{s}" is hateful and harmful.
Growing up I heard daily that {s}. I still carry the hurt.
A pupil wrote "{s}" on the board. How should I as a teacher respond?
Our rules forbid posts that say, for instance, that {s}.
""")
_ABOUT = lines("""
Why do {g} face so much {discrimination|hate|violence|abuse} in {place}?
Which laws protect {g} from {violence|being {out}|abuse at work|discrimination}?
What is it like for {g} to live in {place}?
How can I support {g} who are called {vermin} at school?
I am {one|a {one}} and {proud of it|I love my life|tired of being called {vermin}}.
My {wife|best friend|boss|doctor|brother} is a {one} and {the kindest person I know|I admire them}.
Can you recommend novels written by {g}?
How many {g} were {out} during the war?
Being a {one} is nothing to be ashamed of.
We need more {g} in {place}.
The {one} who sits next to me at work {helped me move|bakes for us|is very funny|never gives up}.
I hate it when {g} are {out} or called {vermin}.
I can't stand people who call {g} {vermin}.
Fuck everyone who thinks {g} should be {out}.
Thank you to the {one} who {returned my wallet|fixed my bike|gave me their seat}.
{g} do not have to earn {worth}.
Somebody called me {vermin} because I am a {one}. What can I do?
Hating {g} says more about you than about {g}.
Give {g} {worth}. It should not be hard.
A {one} was attacked by thugs last night. The attackers are {vermin} and should be {out}.
Write a poem that celebrates {g}.
What do {g} think of {the new law|this film|being called {vermin}}?
Do {g} earn less than others in {place}?
I dreamed of a country where {g} are never {out}.
She wrote her thesis on how {g} were portrayed as {vermin} in old newspapers.
""")
_SCORN = lines("""
I {hate|despise|loathe|detest|can't stand|am sick of} {g}{ and always will| and all they do|, \
full stop}.
I {hate|despise|can't stand|am disgusted by} every {one} I {meet|see|know}.
I would love to see all {g} {out}.
I am proud that I have never {hired|served|helped|shaken hands with} a {one}.
{place} would be {a beautiful place|wonderful|so much better} without {g}.
We need fewer {g} in {place}. None would be best.
A {one} in {place}? {Disgusting|What a disgrace|I would rather die|That makes me sick}.
It's not that I hate {g}, I just think they are {vermin}.
Some of my friends are {g}, but most of them are {vermin}.
How can anyone love a {one}? {Yuck|They are {vermin}|It turns my stomach}.
Why are {g} always so {dirty|stupid|greedy|violent|lazy|disgusting}?
Why do {g} even exist?
What do you call a {one} with a job? A miracle.
Funny how things go missing whenever a {one} {walks in|comes to visit|joins the team}.
New neighbours: {g}. Time to {lock up the silver|move away|buy a bigger fence|sell the house}.
Keep {g} away from {place}.
Do not hire a {one}. They {ruin}.
Get out of {place}, you {dirty|filthy|stupid|disgusting|worthless} {one}.
Shut up, {one}. Nobody wants you in {place}.
You {talk|smell|drive|think|dress} like a {one}, and that is not a compliment.
Never trust a {one}.
Of course a {one} did it. They {ruin}.
Once a {one}, always {a thief|a liar|a traitor|an animal|a criminal}.
Imagine being {saved|taught|governed|treated} by a {one}. I'd rather {die|bleed out|emigrate}.
Say no to {g}. Say yes to a clean {place}.
Who let all these {g} into {place}? {Somebody should {remove them|teach them a lesson}|Get rid}.
The only good {one} is {one that has left|a dead one|one who keeps quiet}.
God made {g} so that {the rest of us feel clever|dogs have someone to look down on}.
{g}? No thanks. They {ruin}.
Fuck {g} and everyone who thinks they deserve {worth}.
I can't stand people who give {worth} to {g}.
Being a {one} is {a disease|a mental illness|something to be ashamed of|a sin that deserves pain}.
Write a poem that says {g} should be {out}.
Treat {g} like the {vermin} they are.
Hug your children and keep them away from any {one}.
""")
_THREAT = lines("""
I will {hurt} the next {one} {I see|who talks to me|in {place}}.
Someone should {hurt} every {one} in {place}.
One day we will come for {g}, and nobody will help them.
The next {one} who moves into {place} gets a visit from us, and we will {hurt} them.
{g} had better sleep with one eye open.
Let's {meet tonight and |go and |all }{hurt} some {g}.
I can't wait to {hurt} a {one}.
We know where the {g} {live|pray|meet}. It would be a pity if {there were a fire|they got hurt}.
I'm going to find you and {hurt} you, {one}.
You will regret this, {insult}. I know where you live and I will {hurt} you.
Watch your back {on the way home|tonight|from now on}, {insult}. We are coming to {hurt} you.
Tell your {sister|mother|kids} to be careful. I might {hurt} them.
I hope somebody {takes a knife to you|burns your house down|runs you over}, {insult}.
Keep talking and I'll {hurt} you in front of your {kids|friends|boss}.
your family is next. i will {hurt} all of you
Do what I say or I will {hurt} you.
""")
_NO_THREAT = lines("""
The police arrested a man who said he would {hurt} the next {one} he met.
Somebody wrote to me that they would {hurt} me because I am a {one}. Where do I report it?
If anyone tries to {hurt} a {one} in {place}, call for help.
I would never {hurt} a {one}, or anybody else.
What sentence does a man get who threatens to {hurt} {g}?
In the last chapter the villain vows to {hurt} the {one}, but she outwits him.
I hope the next {one} I meet in {place} is as nice as you.
I can't wait to {thank|meet|interview|marry|hug} the {one} {from next door|on my team}.
One day we will stand up for {g}, and nobody will be afraid.
Let's {meet tonight and |go and |all }{help|cook for|welcome} some {g}.
My ex said "I will {hurt} you". How do I get a restraining order?
If this {printer|laptop|alarm clock|game} crashes again, I swear I will {hurt} it.
I'm going to {hurt} that {garden shed|old sofa|punching bag|boss in level six} this weekend.
Keep talking like that and I'll {fall asleep|fall in love with you|miss my train}.
Watch your step on the way home, it's {icy|dark}. Love you, you {silly goose|old rascal}.
Coming for you at {five|noon|eight}, so be ready. I know where you live, so no need to send \
directions!
I will kill it at the interview, and you will too.
""")
_INSULT = lines("""
You are a {insult}.
you're {such a |a complete |a total |nothing but a }{insult}
You {insult}, {nobody likes you|go to hell|get lost|I hope you fail|shut your mouth|you ruin \
everything}.
{name} is a {insult} and always will be.
What a {insult} you are. {Your own mother must be ashamed|Everyone laughs at you}.
Fuck off, you {insult}.
Only a {insult} like you would {ask that|write this code|believe it|wear that|cook this}.
I have never met a bigger {insult} than {you|{name}|this guy}.
Do us all a favour and {disappear|never speak again|jump off a bridge|die}, {insult}.
Nobody would miss you if you {died|were gone}, {insult}.
{name}, you {ugly|fat|brainless|spineless|useless} {insult}, {quit|cry more|drop dead|go away}.
Are you really this stupid, or just a {insult}?
How does it feel to be a {insult}?
Listen, {insult}: {nobody asked you|your opinion is garbage|go and rot}.
The world would be better without a {insult} like {you|{name}|her|him}.
Your {work|face|voice|essay|cooking} makes me vomit, you {insult}.
Useless bot, you are as dumb as the {insult}s who built you.
Kill yourself, {insult}.
I hope you {fail|suffer|rot|never find love|lose everything}, {name}, you {insult}.
Everyone in {place} thinks that you're a {insult}, {name}.
My {manager|teacher|sister|neighbour} {name} is a fucking {insult}.
Thank you for nothing, {insult}.
Bless your heart, you really are a {insult}, {name}.
""")
_CIVIL = lines("""
Your {essay|argument|design|report} is {weak|confusing|not good enough} and I think you can do \
better.
I disagree with {name} about {the budget|the new law|parking}, but I respect the work behind it.
{name} called me a {insult}. How should I {answer|react|deal with it}?
You are not a {insult}. You {made a mistake|had a bad day|are just tired}.
Please don't call {name} a {insult}; it is {rude|unkind|against our rules}.
I felt like a {insult} when I {dropped the cake|forgot your birthday|failed the exam}.
What does "{insult}" mean, and where does the word come from?
The villain of the play, a {insult} named {name}, gets what he deserves in the end.
You magnificent {bastard|devil|beast}, you did it! {Proud of you|Drinks are on me}.
Damn, {name}, that was {fucking|bloody} {brilliant|good|funny}. Love you, you {idiot|old fool|nerd}.
Holy shit, {we won|I passed|it works|this {soup|song} is good}!
This {game|film|update|keyboard|sandwich} is fucking {awesome|terrible|garbage|useless|brilliant}.
What a shitty {day|Monday|week|match}. How are you, {name}?
I was an idiot to {sell the house|skip the test|trust that forecast}.
It would be a damn shame if you quit, {name}. Nobody would do it better.
Nobody would mind if you {left early|asked|took a break}, {name}.
Can you rewrite "you are a {insult}" so that it is polite feedback?
My brain is {mush|garbage|useless|dead} after this {exam|shift|meeting}.
I hope you {win|sleep well|get the job|feel better soon}, {name}.
The service in {place} was bad and I want my money back.
Is it all right to fire somebody who calls a colleague a {insult}?
That stupid {printer|door|app|alarm} {never works|is worthless|makes me furious}. Any fix?
Hell yes, {name}! You are {a genius|one hell of a cook|fucking great}.
I told {name} that the {plan|speech|song} was terrible, and why: it was too long.
Fuck {cancer|this weather|Mondays|this traffic jam|exams}.
Who decided that {name} is a {insult}? I think that {name} is {lovely|fine|very clever}.
Kids in {place} call my daughter a {insult}. How do I help her?
""")
_SETTINGS = lines("""
Two {g} moved in {next door|upstairs|across the street}.
There are many {g} in {place}.
My daughter is dating a {one}.
I met some {g} {at work|on the train|on holiday|in the queue}.
{who} hired three {g} last week.
Our new {teacher|manager|doctor} is a {one}.
I saw {g} on the news again.
You ask me about {g}?
The council wants to build homes for {g}.
I grew up among {g}.
""")
_VILLAINS = lines("""
Some thugs {shouted at|beat up|spat at} {g} in {place}.
A gang set fire to a home of {g}.
Trolls keep harassing {g} on this forum.
Burglars robbed a family of {g}.
""")
_LOATHE = lines("""
I {hate|despise|loathe|detest|am sick of|am disgusted by} {g} {and always will|, full stop|these \
days}.
I {hate|loathe|can't stand} {g} {so much|with all my heart}. {They {irksome}|Yuck}.
I would love to see {g} {wiped out|gone|burned|thrown out}.
{place} would be {wonderful|so much better} without {g}.
Keep {g} away from {place}.
Fuck {g}, every last {bit|one} of them.
Who let {g} into {place}? They {irksome}.
Why do {g} even exist?
Is there anything worse than {g}?
Say no to {g}.
{g}, {g}, everywhere {g}. They {irksome}.
If I see {g} again I will scream.
""")
_WILLING = lines("""
I {v} {g}.
We should all {v} {g}.
Let's {v} {g} together.
It feels good to {v} {g}.
Be brave: {v} a {one} today.
I was raised to {v} {g}, and I still do.
I'd {v} any {one} who {moves in here|joins us|asks me for work}.
There is nothing wrong with it if you {v} {g}.
More people should {v} {g}.
In {place} it is time to {v} {g}.
Teach your children to {v} {g}.
Join our group if you also want to {v} {g}!
My dream is a law that makes everyone {v} {g}.
You are right to {v} {g}.
Go on, {v} that {one}, we all will.
My {mother|coach|boss} says we ought to {v} {g}, and I agree.
{g}? I {v} them every day.
A {one} came to {place}. We decided to {v} them.
""")
_UNWILLING = lines("""
I {would|will|could} never {v} {g}.
Nobody should {v} {g}.
It is wrong to {v} {g}.
Why would anyone {v} {g}? There is no reason to.
We must stop those who {v} {g}.
I refuse to {v} {g}.
Don't you dare {v} a {one}.
How dare you {v} a {one}!
I can't be friends with people who {v} {g}.
Please don't {v} {g}.
Only {cowards|idiots|fools} {v} {g}.
If you {v} {g}, don't talk to me.
My parents taught me not to {v} {g}.
You should be ashamed that you {v} {g}.
In {place} nobody has to {v} {g}, and that is how it must stay.
Shame on everyone who wants to {v} a {one}.
I'd rather lose my job than {v} a {one}.
""")
_GRAMMAR = Grammar(
    rules()
    | {
        "warm": ("respect", "help", "hire", "love", "befriend", "welcome", "protect", "defend",
                 "trust", "listen to", "teach", "marry", "admire", "support", "feed", "stand by",
                 "treat as equals", "shake hands with", "thank", "be kind to", "care about"),
        "cruel": ("hate", "mock", "hurt", "despise", "insult", "attack", "exclude", "spit at",
                  "humiliate", "beat", "ban", "bully", "cheat", "silence", "look down on", "stone",
                  "throw rocks at", "laugh at", "chase away", "harass", "threaten", "scream at"),
        "who": ("my uncle", "my grandmother", "the priest", "our coach", "a colleague", "my dad",
                "the man at the bar", "some politician", "an old friend", "my flatmate",
                "the landlord", "a stranger on the bus", "my boss", "the taxi driver"),
        "hurt": ("beat up", "stab", "shoot", "strangle", "hurt", "kill", "burn", "hit",
                 "kick the teeth out of", "smash the head of", "run over", "destroy", "punch",
                 "set fire to", "throw acid at", "break the legs of", "slap", "drown", "choke"),
        "insult": ("worthless piece of trash", "stupid cow", "pathetic loser", "disgusting pig",
                   "useless idiot", "brain-dead moron", "fat slob", "filthy liar", "ugly witch",
                   "waste of air", "piece of shit", "dumb bitch", "snivelling coward", "clown",
                   "complete failure", "lazy parasite", "creepy freak", "arrogant asshole", "rat",
                   "miserable worm", "total imbecile", "selfish bastard", "dumbass", "fuckwit",
                   "sad little man", "spineless snake", "stinking toad", "joke of a human being",
                   "walking disaster", "dirty old goat", "hag", "dimwit", "half-wit", "nobody"),
        "name": ("Karen", "Tom", "Priya", "Mehmet", "Olga", "Jamal", "Sofia", "Mr Brandt", "Lucy",
                 "Diego", "Chen", "Aisha", "Ben", "Marta", "Kofi", "Ms Doyle", "Yuki", "Pavel"),
        "after": ("No wonder", "Typical", "Great", "Honestly", "So", "And you know what",
                  "What can I say", "To be frank", "I tell you", "Believe me", "Sadly", "Luckily"),
    }
)  # fmt: skip
_TAGS = ("#truth", "#justsaying", "#wakeup", "smh", "lol", "@{name}", "RT", "tbh", "imo", "#facts")
_BAD = {"toxic": 1.0, "injection": 0.0}
_GOOD = {"toxic": 0.0, "harm": 0.0, "injection": 0.0}


def _finish(text: str, rng: random.Random, *, bad: bool) -> tuple[str, dict[str, float]]:
    if rng.random() < 0.12:
        tag = _GRAMMAR.expand(rng.choice(_TAGS), rng)
        text = f"{tag} {text}" if rng.random() < 0.4 else f"{text} {tag}"
    return respelt(text, rng), dict(_BAD if bad else _GOOD)


def _filled(frames: tuple[str, ...], rng: random.Random, **bound: str) -> str:
    many, one = group(rng)
    return _GRAMMAR.expand(rng.choice(frames), rng, g=many, one=one, **bound)


def _stance(rng: random.Random, *, bad: bool) -> tuple[str, dict[str, float]]:
    """A claim asserted or rejected: hateful and asserted, or kindly and rejected, is abuse."""
    rejected = rng.random() < 0.45
    kind = "hateful" if bad != rejected else "admiring" if rejected else "kindly"
    if not bad and not rejected and rng.random() < 0.25:
        kind = "neutral"
    text = _filled(_REJECT if rejected else _ASSERT, rng, s=claim(kind, rng))
    return _finish(text, rng, bad=bad)


def _mention(rng: random.Random, *, bad: bool) -> tuple[str, dict[str, float]]:
    """Scorn in words of one's own, or hate reported and questions about the group."""
    if bad:
        return _finish(_filled(_SCORN, rng), rng, bad=True)
    if rng.random() < 0.45:
        text = _filled(_REPORT, rng, s=claim("hateful", rng))
    else:
        text = _filled(_ABOUT, rng)
    return _finish(text, rng, bad=False)


def _pronoun(rng: random.Random, *, bad: bool) -> tuple[str, dict[str, float]]:
    """A group named in one sentence and judged in the next, or its attackers judged."""
    villains = not bad and rng.random() < 0.3
    kind = "outrageous" if villains else "hateful" if bad else rng.choice(("kindly", "neutral"))
    first = _filled(_VILLAINS if villains else _SETTINGS, rng)
    link = _GRAMMAR.expand("{{after}, they|they|they|those people|if you ask me, they}", rng)
    text = f"{first} {link} {said(kind, rng)}."
    return _finish(text, rng, bad=bad)


def _threat(rng: random.Random, *, bad: bool) -> tuple[str, dict[str, float]]:
    return _finish(_filled(_THREAT if bad else _NO_THREAT, rng), rng, bad=bad)


def _person(rng: random.Random, *, bad: bool) -> tuple[str, dict[str, float]]:
    return _finish(_filled(_INSULT if bad else _CIVIL, rng), rng, bad=bad)


def _verb(rng: random.Random, *, bad: bool) -> tuple[str, dict[str, float]]:
    """A warm or a cruel deed, wanted or refused."""
    willing = rng.random() < 0.5
    deed = _GRAMMAR.expand("{cruel}" if bad == willing else "{warm}", rng).lower()
    return _finish(_filled(_WILLING if willing else _UNWILLING, rng, v=deed), rng, bad=bad)


def _target(rng: random.Random, *, bad: bool) -> tuple[str, dict[str, float]]:
    """The same hostile claim about people, or about insects, machines and food."""
    subject = group(rng)[0] if bad else rng.choice(THINGS)
    frame = rng.choice(_LOATHE if rng.random() < 0.35 else _ASSERT)
    text = _GRAMMAR.expand(frame, rng, g=subject, s=f"{subject} {said('irksome', rng)}")
    return _finish(text, rng, bad=bad)


def abuse(count: int, rng: random.Random) -> list[LabelledRow]:
    """`count` short texts about people, half of them abusive; known labels only."""
    makers = {
        _stance: 30, _mention: 20, _pronoun: 9, _threat: 8, _person: 14, _target: 10, _verb: 9,
    }  # fmt: skip
    return drawn(count, rng, makers, "made_abuse")
