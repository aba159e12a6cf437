/** Hours of the week in which a login is possible. */

/** From `fromMinute` to before `toMinute` after midnight in `zone`; an end that is not later is one of the next day. */
export interface TimeWindow {
  /** Days on which the window begins: 0 is Monday, 6 is Sunday. */
  readonly days: readonly number[];
  readonly fromMinute: number;
  readonly toMinute: number;
  /** Name of a time zone in the IANA database. */
  readonly zone: string;
}

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** The days of `mon` or `fri-mon`. Undefined for what is neither. */
export function parseDays(text: string): readonly number[] | undefined {
  const [first = '', last = first, ...more] = text.split('-');
  const [from, to] = [dayNames.indexOf(first as 'mon'), dayNames.indexOf(last as 'mon')];
  if (from === -1 || to === -1 || more.length > 0) return undefined;
  const count = ((to - from + 7) % 7) + 1;
  return Array.from({ length: count }, (_, index) => (from + index) % 7);
}

/** The minutes after midnight of `06:30`, from `00:00` to `24:00`. Undefined for what is no such time. */
export function parseMinute(text: string): number | undefined {
  const match = /^([01]\d|2[0-4]):([0-5]\d)$/.exec(text);
  const minute = Number(match?.[1]) * 60 + Number(match?.[2]);
  return match === null || minute > 24 * 60 ? undefined : minute;
}

/** Whether there is a time zone of that name. */
export function isTimeZone(zone: string): boolean {
  try {
    formatIn(zone);
    return true;
  } catch {
    return false;
  }
}

export function isWithin({ days, fromMinute, toMinute, zone }: TimeWindow, now: Date): boolean {
  const { day, minute } = localTime(zone, now);
  if (fromMinute < toMinute) return days.includes(day) && minute >= fromMinute && minute < toMinute;
  const dayBefore = (day + 6) % 7;
  return (days.includes(day) && minute >= fromMinute) || (days.includes(dayBefore) && minute < toMinute);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatIn(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  formats.set(zone, format); // the zones of one configuration
  return format;
}

function localTime(zone: string, now: Date): { readonly day: number; readonly minute: number } {
  const parts = new Map(
    formatIn(zone)
      .formatToParts(now)
      .map(({ type, value }) => [type, value]),
  );
  const day = dayNames.indexOf((parts.get('weekday') ?? '').toLowerCase() as 'mon');
  return { day, minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) };
}
