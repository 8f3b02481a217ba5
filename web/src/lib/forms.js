// What form is called.

// what form is called, from its lowest value on, with the colour of its band
export const FORMS = [
  ["High risk", -Infinity, "accent"],
  ["Optimal", -30, "band-3"],
  ["Grey zone", -10, null],
  ["Fresh", 5, "band-2"],
  ["Transition", 25, "band-1"],
];

/** What a form is called: "Fresh". */
export function formText(form) {
  return FORMS.findLast(([, lowest]) => form >= lowest)[0];
}
